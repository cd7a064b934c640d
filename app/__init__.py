"""bingli: quality control and cited drafting for inpatient medical records."""

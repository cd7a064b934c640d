"""Export of a draft to document formats."""

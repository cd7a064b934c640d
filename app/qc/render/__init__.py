"""One result, several renderings; a finding knows no format."""

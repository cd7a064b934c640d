"""Reading Chinese clinical text; everything returns spans into the text as written."""

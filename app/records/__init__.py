"""What a record is, and how records are read."""

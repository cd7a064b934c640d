"""What bingli keeps on disk."""

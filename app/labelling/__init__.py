"""Labels of generated content after GB 45438-2025."""

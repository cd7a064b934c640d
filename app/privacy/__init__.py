"""Who may see what, who did what, and texts without names."""

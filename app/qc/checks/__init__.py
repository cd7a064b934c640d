"""Named deterministic checks; rules choose one and give its parameters."""

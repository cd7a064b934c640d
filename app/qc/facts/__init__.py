"""Facts: what a record says, with the sentences that show it."""

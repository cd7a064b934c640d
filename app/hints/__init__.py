"""Live hints: what is amiss in the note being written, and how to mend it, without tiring the writer."""

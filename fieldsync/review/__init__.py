"""People's decisions: conflicts, possible duplicates, overlaps."""

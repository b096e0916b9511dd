"""Decisions of people: conflicts, possible duplicates, overlaps."""

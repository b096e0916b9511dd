"""Comparing persons: names, birth dates, aliases, scores. Pure."""

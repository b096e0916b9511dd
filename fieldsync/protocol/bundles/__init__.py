"""A sync in a file."""

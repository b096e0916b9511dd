"""A result each, as people see it."""

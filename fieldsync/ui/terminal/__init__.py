"""Output on terminals of every kind: direction, code pages, messages."""

"""The terminal's user interface; the only importer of rich."""

"""Import from and export to other programs' files."""

"""Records from and to files of other programs."""

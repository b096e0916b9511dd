"""Release 0.1: its program, and stores that it made."""

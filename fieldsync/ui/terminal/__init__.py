"""Terminal output: text direction, encodings, messages."""

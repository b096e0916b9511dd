"""The forms: what record types and fields there are, and which values they take."""

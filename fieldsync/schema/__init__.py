"""The forms: record types, fields, and legal values."""

"""XLSForms, converted to record types."""

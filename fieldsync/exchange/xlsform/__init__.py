"""XLSForms, made into record types."""

"""The expressions of forms: parsed, checked, evaluated."""

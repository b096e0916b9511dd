"""Parts that the full screens share."""

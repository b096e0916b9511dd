"""Parts shared by the full screens."""

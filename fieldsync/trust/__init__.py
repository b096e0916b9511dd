"""The trust register: the numbered, signed entries that say who may do what in an organisation. No store, no clock."""

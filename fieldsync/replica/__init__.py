"""A node's own work: saving, applying, reading, placement. Above the store and the wire."""

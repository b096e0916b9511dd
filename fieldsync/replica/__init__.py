"""A node at work: saving, applying, syncing, reviewing. Everything above the store and the wire."""

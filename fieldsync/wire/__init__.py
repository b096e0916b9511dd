"""Bytes ↔ types: frames, and what is in them. Never sockets."""

"""The HTTP face of a replica, and the office that runs it."""

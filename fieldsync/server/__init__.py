"""The HTTP face of a replica, and its administration."""

"""Servers above and below, and copied devices."""

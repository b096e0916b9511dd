"""Servers above and below, and the devices that copies become."""

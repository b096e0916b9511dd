"""Commands for whoever looks after an office's servers: the fleet, backups by schedule."""

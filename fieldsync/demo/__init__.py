"""The stories of `fieldsync demo`."""

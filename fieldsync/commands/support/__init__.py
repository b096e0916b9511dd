"""Support for commands: settings, secrets, help, completion, arguments."""

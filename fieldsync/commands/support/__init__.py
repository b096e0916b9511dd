"""How commands are found and read: settings, secrets, help, completion, arguments."""

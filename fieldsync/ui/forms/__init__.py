"""Forms on a terminal: a question a line, or a screen."""

"""Views: each displays one kind of result."""

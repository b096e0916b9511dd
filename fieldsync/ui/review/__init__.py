"""Review on a terminal."""

"""One sync: both sides of it, over HTTP or in a bundle."""

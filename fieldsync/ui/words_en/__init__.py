"""English words, a module for each matter; `words.catalogue` puts them together."""

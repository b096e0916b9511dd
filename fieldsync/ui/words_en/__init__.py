"""English texts, a module per topic; `words.catalogue` combines them."""

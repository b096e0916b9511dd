"""كلمات العربية: the same keys as words_en, said in Arabic, a module for each matter; `words.catalogue` puts them together."""

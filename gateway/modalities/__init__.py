"""IN WHICH WORDS, where it is no chat: a module for each modality, pure. `words` knows all words that calls come in."""

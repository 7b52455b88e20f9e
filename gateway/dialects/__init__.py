"""IN WHICH WORDS: the wire formats, pure. A dialect is a folder; `base` says what one must offer."""

"""The verbs of the command line, by subject. `gateway/__main__.py` hangs them together."""

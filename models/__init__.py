"""All SQL of the project, by peewee; knows nothing of the gateway. One noun a file.

Reads run inside `with session():`. Writes run through `writer.write`, so that each process has one ordered writer.
"""

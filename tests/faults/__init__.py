"""The fault catalogue: what is broken on purpose, the load meanwhile, and the checker afterwards."""

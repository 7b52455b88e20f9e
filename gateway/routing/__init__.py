"""WHERE to? Channels, the models that they serve, and the ordered legs of a call."""

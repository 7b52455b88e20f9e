"""HOW do we reach them: the only outgoing HTTP. Nothing above `pool` knows a requests or urllib3 object."""

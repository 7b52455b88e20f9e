"""DO it: the one orchestrator of HTTP exchanges, and how streams are passed on."""

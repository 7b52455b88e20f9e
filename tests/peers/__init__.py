"""Real servers of others behind the gateway: llama.cpp with a tiny random model, and LiteLLM's proxy with made-up
answers. `make peers` installs them (llama.cpp is compiled, for minutes); without them their tests are skipped by name."""

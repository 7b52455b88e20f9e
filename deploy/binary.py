"""Where the single binary begins: the same verbs as `python -m gateway`."""

from gateway.__main__ import main

main(prog_name="gateway")

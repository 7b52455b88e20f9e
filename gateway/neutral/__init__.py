"""WHAT is being said: frozen dataclasses and nothing else.

Equality is content; ids are storage. Every dialect parses into these words and renders from them, so that no vendor's
wire format is the hub. A field that is None was not said.
"""

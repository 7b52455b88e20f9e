"""What tests of all dialects share: replies in neutral words, to be compared by what they say."""

from __future__ import annotations

from dataclasses import replace

from gateway.neutral.parts import Part, Text
from gateway.neutral.reply import ChatReply


def merged(reply: ChatReply) -> ChatReply:
    """A reply without its storage's names, adjacent plain texts made one and empty ones left out."""
    choices = []
    for choice in reply.choices:
        parts: list[Part] = []
        for part in choice.parts:
            plain = isinstance(part, Text) and not (part.citations or part.logprobs or part.seal)
            last = parts[-1] if parts else None
            if plain and isinstance(part, Text) and not part.text:
                continue
            if plain and isinstance(last, Text) and not (last.citations or last.logprobs or last.seal):
                parts[-1] = replace(last, text=last.text + part.text)  # type: ignore[union-attr]
            else:
                parts.append(part)
        choices.append(replace(choice, parts=tuple(parts)))
    return replace(reply, id="", model="", created=0, choices=tuple(choices))

"""What differs between the models that speak Messages, told by their names.

A name without a version that can be read (another vendor's model behind this dialect) is taken for one that does what
the dialect did from its beginning: budgets, sampling parameters, system text in `system` only.
Sources: https://platform.claude.com/docs/en/about-claude/models/migration-guide,
https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking, and recorded answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"claude-(?:[a-z]+-)*(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_NEWEST = (5, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """thinks: at all · adaptive: as it sees fit, guided by an effort · budgets: within a budget of thinking tokens ·
    off: must be told not to (others do not unless asked) · always: cannot help it · xhigh: knows that effort ·
    samples: takes temperature, top_p and top_k · one_of: but only one of the first two · strict: can hold arguments to
    a schema · system_in_place: takes messages of the role system."""

    thinks: bool
    adaptive: bool
    budgets: bool
    off: bool
    always: bool
    xhigh: bool
    samples: bool
    one_of: bool
    strict: bool
    system_in_place: bool


def family(model: str) -> Family:
    """What is known of a model by its name."""
    version = _version(model)
    always = "fable" in model or "mythos" in model
    if version is None:
        return Family(
            thinks=True, adaptive=False, budgets=True, off=True, always=False, xhigh=False, samples=True, one_of=False,
            strict=True, system_in_place=False,
        )  # fmt: skip
    return Family(
        thinks=version >= (3, 7),
        adaptive=version >= (4, 6),
        budgets=(3, 7) <= version < (4, 7),
        off=version >= (5, 0) and not always,
        always=always,
        xhigh=version >= (4, 7),
        samples=version < (4, 7),
        one_of=(4, 1) <= version < (4, 7),
        strict=version >= (4, 1),
        system_in_place=version >= (4, 8),
    )


def _version(model: str) -> tuple[int, int] | None:
    if "claude" not in model:
        return None
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST

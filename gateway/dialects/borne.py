"""What a model bears of a request, by its profile: for dialects whose models differ in sampling and thinking only."""

from __future__ import annotations

from dataclasses import replace

from ..call import Profile
from ..neutral.request import ChatRequest, Sampling, Thinking

_ASKED_TO_THINK = frozenset({"effort", "thinking_budget", "thinking_adaptive"})
_USUAL = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
"""Values that are as good as none: leaving them out loses nothing."""


def lacking(asked: ChatRequest, known: Profile) -> frozenset[str]:
    """Features that the model does not bear here."""
    found = set(known.lacks)
    if _thinks(asked.thinking, known):
        found |= set(known.lacks_thinking)
    if asked.sampling.temperature is not None and asked.sampling.temperature > known.hottest:
        found.add("temperature_high")
    if not known.thinks or (known.efforts == () and known.switch == "effort"):
        found |= _ASKED_TO_THINK
    if known.always:
        found.add("thinking_off")
    return frozenset(name for name in found if name not in _USUAL or getattr(asked.sampling, name) != _USUAL[name])


def _thinks(thinking: Thinking, known: Profile) -> bool:
    if not known.thinks or (not known.always and (thinking.mode == "off" or thinking.effort == "none")):
        return False
    return not known.rests or thinking.mode is not None or thinking.effort is not None


def sampled(asked: ChatRequest, known: Profile) -> ChatRequest:
    """The request with sampling that the model bears; a temperature above its highest becomes that."""
    gone = {*known.lacks, *(known.lacks_thinking if _thinks(asked.thinking, known) else ())}
    sampling, plain = asked.sampling, Sampling()
    left_out = {name: getattr(plain, name) for name in Sampling.__dataclass_fields__ if name in gone}
    if "temperature" not in gone and sampling.temperature is not None and sampling.temperature > known.hottest:
        left_out["temperature"] = known.hottest
    return replace(asked, sampling=replace(sampling, **left_out)) if left_out else asked

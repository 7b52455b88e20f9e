"""The embedded provider: model names are behaviours; no key, no network, the same answer to the same question.

`models` says what each name does, `answer` what is said, `fill` makes JSON that fits a schema. It speaks each dialect
by the neutral words, as any provider would on the wire, and is priced like a small real model.
"""

from .models import FIXED, knows, send

__all__ = ["FIXED", "knows", "send"]

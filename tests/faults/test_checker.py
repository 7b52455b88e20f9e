"""The checker finds what is wrong: a checker that says nothing of anything would pass every fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.faults import checker, load
from tests.gateway import Gateway


def test_the_checker_tells_right_from_wrong(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:  # its own: what other tests leave running is held for
        _, key = gateway.account("5")
        whole, *rest = load.run(gateway.url, key, lambda _: "sandbox/tokens-20", 4, 1, 0.5, seed=1)
        assert rest and {one.came_to for one in (whole, *rest)} == {load.COMPLETE}
        assert checker.check(gateway, [whole, *rest]) == []
        assert checker.truncated(gateway, [whole, *rest]) == 0
        assert whole.usage is not None

        def said(changed: load.Outcome) -> str:
            return " ".join(checker.check(gateway, [changed, *rest]))

        assert "no receipt of it" in said(replace(whole, id="chatcmpl-nobody"))
        assert "is right" in said(replace(whole, usage={**whole.usage, "completion_tokens": 7}))
        assert "refused with 503, and charged" in said(replace(whole, came_to=load.REFUSED, status=503))
        assert "told the same id" in " ".join(checker.check(gateway, [whole, whole, *rest]))
        assert "that nobody made" in " ".join(checker.check(gateway, rest))
        assert checker.truncated(gateway, rest) == 1

"""`python -m pricebook [--check] [--verbose] [--date YYYY-MM-DD]`: see the package."""

from __future__ import annotations

import argparse
from datetime import date

from gateway import book
from gateway.book.changes import Change, changes

from . import corrections, merge, read_litellm, sources, write
from .read_genai import Genai


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pricebook", description="Makes the price book from published data."
    )
    parser.add_argument("--check", action="store_true", help="print what would change, and write nothing")
    parser.add_argument("--verbose", action="store_true", help="list all changes, differences and what was left out")
    parser.add_argument(
        "--date", type=date.fromisoformat, default=None, help="the day whose prices are meant, and the version"
    )
    asked = parser.parse_args()
    on = asked.date or date.fromisoformat(max(sources.GENAI[2], sources.LITELLM[2], corrections.READ))

    notes = merge.Notes()
    genai = Genai(sources.genai(), on)
    entries = merge.by_name(read_litellm.entries(sources.litellm()), genai, notes)
    corrections.apply(entries)
    offered = merge.models(entries, genai.routed(), notes)
    read = {f"{name} {version}": day for name, version, day in (sources.GENAI, sources.LITELLM)}
    lines = write.lines(offered, str(on), {**read, "corrections": corrections.READ})

    body = ("\n".join(lines) + "\n").encode()
    made = book.read(body)
    _say(made, list(changes(book.built_in(), made)), notes, asked.verbose)
    if not asked.check:
        book.FILE.write_bytes(body)
        _print(f"written: {book.FILE}")


def _say(made: book.Book, changed: list[Change], notes: merge.Notes, verbose: bool) -> None:
    _print(write.summary(made))
    kinds = [("added" if not change.old else "removed" if not change.new else "changed") for change in changed]
    told = ", ".join(f"{kinds.count(kind)} prices {kind}" for kind in ("added", "removed", "changed"))
    _print(f"against the file that was there: {told}")
    shown = [change for change, kind in zip(changed, kinds, strict=True) if verbose or kind != "added"]
    _print(*(f"  {one.model} at {one.provider}, {one.what}: {one.old} → {one.new}" for one in shown))
    _print(f"the sources differ in {len(notes.differ)} rates of {len({row[:2] for row in notes.differ})} names")
    if verbose:
        for kind, name, rate, curated, other in notes.differ:
            _print(f"  {kind} {name} {rate}: genai-prices {curated}, litellm {other.normalize():f}")
    priceless = sum(why == "no price" for _, _, why in notes.left_out)
    rest = len(notes.left_out) - priceless
    _print(f"left out: {priceless} names without a price, {rest} with another price than their model's")
    if verbose:
        _print(*(f"  {kind} {name}: {why}" for kind, name, why in notes.left_out))


def _print(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()

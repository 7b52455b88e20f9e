"""`python -m pricebook [--check] [--verbose] [--date YYYY-MM-DD]`: see the package."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from . import corrections, merge, read_litellm, sources, write
from .read_genai import Genai

FILE = Path(__file__).resolve().parent.parent / "gateway" / "book" / "models.jsonl"


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
    book = merge.models(entries, genai.routed(), notes)
    read = {f"{name} {version}": day for name, version, day in (sources.GENAI, sources.LITELLM)}
    lines = write.lines(book, str(on), {**read, "corrections": corrections.READ})

    before = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()[1:]] if FILE.exists() else []
    after = [json.loads(line) for line in lines[1:]]
    _say(after, write.changes(before, after), notes, asked.verbose)
    if not asked.check:
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        _print(f"written: {FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE}")


def _say(after: list[dict[str, object]], changed: list[str], notes: merge.Notes, verbose: bool) -> None:
    _print(write.summary(after))
    counts = {sign: sum(line[0] == sign for line in changed) for sign in "+-~"}
    _print(f"against the file that was there: {counts['+']} offers added, {counts['-']} removed, {counts['~']} changed")
    shown = changed if verbose else [line for line in changed if line[0] != "+"][:40]
    _print(*(f"  {line}" for line in shown))
    _print(f"the sources differ in {len(notes.differ)} rates of {len({row[:2] for row in notes.differ})} names")
    if verbose:
        _print(
            *(
                f"  {kind} {name} {rate}: genai-prices {one}, litellm {other}"
                for kind, name, rate, one, other in notes.differ
            )
        )
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

"""`python -m tests.matrix [shared folder]`: the whole matrix, its findings by reason, and a line of sums for each part."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb

from gateway.dialects import bridge

from . import again, recordings, replies, requests, schemas

SHARED = Path(__file__).resolve().parents[3] / "shared"


def answers(shared: Path, book: schemas.Book, seed: int = 0) -> Iterator[tuple[str, str, list[str]]]:
    """(case, provider, what is wrong) of each recorded answer for a client of each dialect, in each way it may be given."""
    for one in recordings.recordings(shared):
        if one.name in recordings.ANSWERS or one.dialect not in bridge.DIALECTS:
            continue
        for client in bridge.DIALECTS:
            for label, streamed, wants_usage in replies.ways(one, client):
                chance = random.Random(f"{seed} {one.name}")
                try:
                    wrong = replies.problems(book, one, client, streamed, wants_usage, chance)
                except Exception as error:
                    wrong = [_crash(error)]
                yield f"{one.name} → {client} {label}".strip(), one.provider, wrong


def asked_for(shared: Path, book: schemas.Book) -> Iterator[tuple[str, str, list[str] | str]]:
    """(case, "", what is wrong, or the feature for which it is refused) of each recorded request for each dialect, its own
    too."""
    for one in recordings.requests(shared):
        if one.name in recordings.REQUESTS or one.dialect not in bridge.DIALECTS:
            continue
        for target in bridge.NAMED:
            wrong: list[str] | str
            try:
                wrong = requests.problems(book, one, target)
            except requests.Refused as refused:
                wrong = f"{refused} to {target}"
            except Exception as error:
                wrong = [_crash(error)]
            yield f"{one.name} → {target}", "", wrong


def next_turns(shared: Path, book: schemas.Book) -> Iterator[tuple[str, str, list[str]]]:
    """(case, provider, what is wrong) of each recorded sealed answer, sent back by a client of each other dialect."""
    for one in recordings.recordings(shared):
        if one.name in recordings.ANSWERS or one.dialect not in bridge.DIALECTS or not again.sealed(one):
            continue
        for client in bridge.DIALECTS:
            for streamed in (True,) if one.answers_streamed else (False, True):
                if client == one.dialect:
                    continue
                try:
                    wrong = again.problems(book, one, client, streamed, random.Random(one.name))
                except Exception as error:
                    wrong = [_crash(error)]
                yield f"{one.name} → {client}{', streamed,' if streamed else ''} and back", one.provider, wrong


def _crash(error: Exception) -> str:
    last = extract_tb(error.__traceback__)[-1]
    return f"a crash: {type(error).__name__} {str(error)[:100]} at {last.filename.rpartition('/')[2]}:{last.lineno}"


def reason(problem: str) -> str:
    """A problem without what is particular to its case."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\[.*\]|\{.*\}|\d+", "…", problem)[:100]


def main() -> int:
    shared = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    if not shared.is_dir():
        print(f"no recordings at {shared}", file=sys.stderr)
        return 2
    book = schemas.Book(shared / "wire" / "spec")
    sums = []
    for what, cases in (
        ("recordings × client dialects", answers(shared, book)), ("requests", asked_for(shared, book)),
        ("next turns", next_turns(shared, book)),
    ):  # fmt: skip
        tried, wrong, reasons, refused = 0, 0, Counter[str](), Counter[str]()
        by_provider, wrong_of = Counter[str](), Counter[str]()
        for name, provider, found in cases:
            if isinstance(found, str):
                refused[found] += 1
                continue
            tried += 1
            by_provider[provider] += 1
            if found:
                wrong += 1
                wrong_of[provider] += 1
                reasons[reason(found[0])] += 1
                print(f"{name}: {'; '.join(found)}")
            if tried % 500 == 0:
                print(f"{what}: {tried} …", file=sys.stderr)
        for why, count in reasons.most_common():
            print(f"  {count:5d} × {why}")
        for why, count in refused.most_common():
            print(f"  {count:5d} refused: {why}")
        for provider, count in sorted(by_provider.items()):
            if provider:
                print(f"  {provider}: {count} tried, {wrong_of[provider]} wrong")
        sums.append(f"{what}: {tried} tried, {wrong} wrong")
    print("\n".join(sums))
    return 0 if all(line.endswith(" 0 wrong") for line in sums) else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.golden [situation …]`: writes the goldens from the present code, all or some, and names what changed."""

from __future__ import annotations

import sys

from .pairs import golden, situations, written


def main() -> int:
    names = set(sys.argv[1:])
    found = situations()
    if unknown := names - {one.name for one in found}:
        print(f"no such situation: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    for one in found:
        if names and one.name not in names:
            continue
        stale = set(one.folder.glob("*__*.json"))
        for client, provider in one.pairs():
            path = one.folder / f"{client}__{provider}.json"
            made = golden(one, client, provider)
            if made is None:
                continue
            stale.discard(path)
            text = written(made)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
                print(f"{one.name}/{path.name}")
        for path in stale:
            path.unlink()
            print(f"{one.name}/{path.name} is gone")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Verbs of the command line as tests run them by the hundred: in a process of their own each, as a user's are, forked
off one that has imported the gateway already."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["tests.verbs", "gateway.__main__", *(f"gateway.commands.{one}" for one in (
    "accounts", "channels", "checks", "prices", "serving", "tasks"))])  # fmt: skip


def verb(*words: str, cwd: Path, environ: dict[str, str], stdin: str | None) -> subprocess.CompletedProcess[str]:
    """`python -m gateway` with these words."""
    with tempfile.TemporaryDirectory() as folder:
        told, out, err = files = [Path(folder, name) for name in ("in", "out", "err")]
        told.write_text(stdin or "")
        process = _fork.Process(target=_child, args=(words, cwd, environ, files))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, 60)
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


def _child(words: tuple[str, ...], cwd: Path, environ: dict[str, str], files: list[Path]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    for number, file in enumerate(files):
        handle = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = os.fdopen(0)  # which multiprocessing had closed
    from gateway.__main__ import main

    main([os.fsdecode(word) for word in words], prog_name="python -m gateway")

"""`python -m tests.peers`: install the servers, each into a virtual environment below the checkout's cache."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.peers.servers import PACKAGES, folder

for name, packages in PACKAGES.items():
    began = time.monotonic()
    print(f"{name}: installing {', '.join(packages)} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder(name))], check=True)
    pip = [str(folder(name) / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], check=True)
    print(f"{name}: installed in {time.monotonic() - began:.0f} s")

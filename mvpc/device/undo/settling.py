"""Let a change settle: services read it once the answer is on its way, and what was open before is open again.

This runs in a unit of its own, so that a session which the change cuts off stops nothing half-way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvpc.device.undo.files import replace_file
from mvpc.device.undo.taking_back import take_back
from mvpc.device.undo.tools import MANIFEST, SETTLED, run
from mvpc.device.undo.ways import closed_ways

SETTLE_SECONDS = 90.0
"""Within which everything that was open must be open again. 802.1X may take 25 s, a VPN 60 s."""
PAUSE_SECONDS = 1.0
"""For the answer to leave, for services to read what they were told to, and between two looks."""


def settle(folder: Path, root: Path) -> None:
    """Deliver what waits, and either note that the change has settled or take it back at once."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if reason := why_not(manifest, root):
        take_back(folder, root, reason)
    else:
        replace_file(folder / SETTLED, b"", mode=0o600)


def why_not(manifest: Mapping[str, Any], root: Path) -> str:
    """Why the change cannot stay; empty when it can."""
    deadline = time.monotonic() + SETTLE_SECONDS
    time.sleep(PAUSE_SECONDS)
    for words, command in manifest["later"]:
        code, said = run(command, seconds=75)
        if code:
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            return f"{words} failed: {lines[-1] if lines else f'exit code {code}'}"
    while True:
        time.sleep(PAUSE_SECONDS)
        closed = list(closed_ways(manifest["ways"], root))
        if not closed or time.monotonic() > deadline:
            return "; ".join(closed)

"""Take a change back: files, the ledger, rules, units and connections as the manifest has them."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mvpc.device.undo.files import replace_file, restore, sync
from mvpc.device.undo.network import end_units, reconnect, restore_tables, restore_units
from mvpc.device.undo.tools import MANIFEST, UNDONE, run


def take_back(folder: Path, root: Path, reason: str, *, booting: bool = False) -> None:
    """Restore everything that the manifest names; nothing when there is none, since somebody has confirmed.

    Args:
        folder: where copies and manifest are.
        root: / of the laptop.
        reason: why, in words, for those who ask later.
        booting: services read the restored files when they start, so that nobody needs to tell them.
    """
    with alone(folder):
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        end_units(manifest["units"], booting=booting)
        for entry in manifest["files"]:
            restore(root / entry["path"].lstrip("/"), entry, folder)
        run(["systemctl", "daemon-reload"])
        restore_units(manifest["units"], booting=booting)
        if not booting:
            tell(manifest)
        told = {"generation": manifest["generation"], "at": int(time.time()), "booting": booting}
        told |= {"reason": reason, "components": manifest["components"]}
        replace_file(folder / UNDONE, json.dumps(told).encode(), mode=0o600)
        (folder / MANIFEST).unlink()
        sync(folder)
        for place in manifest["boot"]:
            (root / place.lstrip("/")).unlink(missing_ok=True)
        run(["systemctl", "stop", "--", manifest["timer"]])


def tell(manifest: dict[str, Any]) -> None:
    """Let everything that runs go by what was restored. What cannot is no reason to leave out the next."""
    for command in manifest["notify"]:
        run(command)
    restore_tables(manifest["rules"])  # after services that load rules of their own
    if manifest["connections"] is not None:
        reconnect(manifest["checkpoint"], manifest["connections"])


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Either a change is confirmed, or it is taken back: both hold this lock."""
    descriptor = os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Take a change back: files, the ledger, rules, units and connections as the manifest has them."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mvpc.device.undo.files import replace_file, restore, sync
from mvpc.device.undo.network import end_units, reconnect, restore_tables, restore_units
from mvpc.device.undo.tools import MANIFEST, SETTLED, UNDONE, run


def take_back(folder: Path, root: Path, reason: str, *, booting: bool = False) -> None:
    """Restore everything that the manifest names; nothing when there is none, since somebody has confirmed.

    Args:
        folder: where copies and manifest are.
        root: / of the laptop.
        reason: why, in words, for those who ask later.
        booting: services read the restored files when they start, so that nobody needs to tell them.

    Raises:
        SystemExit: some files could not be restored, all of them named; everything else is as it was, and the
            manifest stays, so that it can be tried again.
    """
    with alone(folder):
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        end_units(manifest["units"], booting=booting)
        failures = list(restore_all(manifest["files"], folder, root))
        run(["systemctl", "daemon-reload"])
        restore_units(manifest["units"], booting=booting)
        if not (booting or (failures and "reason" in manifest)):  # connections are not cut at each try
            tell(manifest)
        reason = manifest.setdefault("reason", reason)
        if failures:
            keep_trying(manifest, folder)
            raise SystemExit("\n".join(failures))
        told = {"generation": manifest["generation"], "at": int(time.time()), "booting": booting}
        told |= {"reason": reason, "components": manifest["components"]}
        replace_file(folder / UNDONE, json.dumps(told).encode(), mode=0o600)
        (folder / MANIFEST).unlink()
        sync(folder)
        for place in manifest["boot"]:
            (root / place.lstrip("/")).unlink(missing_ok=True)
        run(["systemctl", "stop", "--", manifest["timer"]])


def restore_all(entries: Iterable[Mapping[str, Any]], folder: Path, root: Path) -> Iterator[str]:
    """Restore every file that can be restored, and say which cannot (a full disk, chattr +i) and why."""
    for entry in entries:
        try:
            restore(root / entry["path"].lstrip("/"), entry, folder)
        except OSError as error:
            yield f"{entry['path']} cannot be restored: {error.strerror or error}"


def keep_trying(manifest: Mapping[str, Any], folder: Path) -> None:
    """Note why it is taken back. Nobody can confirm any more what is half there."""
    with suppress(OSError):
        replace_file(folder / MANIFEST, json.dumps(manifest).encode(), mode=0o600)
    with suppress(OSError):
        (folder / SETTLED).unlink()


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

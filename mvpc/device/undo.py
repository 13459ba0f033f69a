"""Take back what may have cut a laptop off. Runs there alone, from a timer or at the next boot.

Sent with an apply that touches the way in, and stored beside the copies of all files that it may change. It needs
Python >= 3.9 and nothing else, and it may be interrupted anywhere: what is to be restored is removed last.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

FOLDER = "/var/lib/mvpc/undo"


def main(folder: Path, root: Path = Path("/"), *, booting: bool = False) -> int:
    """Restore everything that the manifest names; nothing when there is none, since somebody has confirmed."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0
    for entry in manifest["files"]:
        restore(root / entry["path"].lstrip("/"), entry, folder)
    if not booting:  # services read the restored files when they start
        tell(manifest["notify"])
    told = {"generation": manifest["generation"], "at": int(time.time()), "booting": booting}
    replace(folder / "undone.json", json.dumps(told).encode(), mode=0o600)
    (folder / "manifest.json").unlink()
    sync(folder)
    return 0


def restore(path: Path, entry: Mapping[str, Any], folder: Path) -> None:
    """Give a path back what it was: nothing, a link, or a file."""
    if entry["kind"] == "absent":
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            sync(path.parent)
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry["kind"] == "link":
        fresh = path.with_name(f".mvpc-{path.name}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(entry["target"])
        fresh.replace(path)
        sync(path.parent)
    else:
        data = (folder / entry["copy"]).read_bytes()
        replace(path, data, mode=entry["mode"], owner=(entry["uid"], entry["gid"]))


def replace(path: Path, data: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a file in its place in one step; it is on the disk afterwards."""
    fresh = path.with_name(f".mvpc-{path.name}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)
        if owner:
            os.fchown(stream.fileno(), *owner)
        os.fchmod(stream.fileno(), mode)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make renames and removals in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def tell(commands: Sequence[Sequence[str]]) -> None:
    """Let services read what was restored. One that cannot is no reason to leave out the next."""
    for command in commands:
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, stdin=subprocess.DEVNULL, timeout=60, check=False)


if __name__ == "__main__":
    raise SystemExit(main(Path(FOLDER), booting=sys.argv[1:] == ["boot"]))

"""Files as they were: put back in one step each, so that no crash leaves half of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


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
        replace_file(path, data, mode=entry["mode"], owner=(entry["uid"], entry["gid"]))


def replace_file(path: Path, data: bytes, *, mode: int, owner: tuple[int, int] | None = None) -> None:
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

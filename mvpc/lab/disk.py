"""The file system of an image with a laptop's own files laid over it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab.host import run
from mvpc.lab.laptop import Case, Laptop


def lay_over(case: Case, laptop: Laptop) -> None:
    """Mount the image at `case.root` with the laptop's own files over it; a new laptop has none yet.

    Raises:
        LabError: the file system below the lab's folder is not made for that.
    """
    if not laptop.host_key:
        # Its first boot never ended. What lies there may be torn.
        shutil.rmtree(case.folder / "disk", ignore_errors=True)
    folders = {name: case.folder / name for name in ("disk", "work", "root")}
    for folder in folders.values():
        folder.mkdir(mode=0o755, exist_ok=True)
    lower = Path(laptop.image) / "rootfs"
    if any(mark in str(lower) for mark in ',:\\"'):
        raise LabError("the path of the image must not hold commas, colons or backslashes", where=str(lower))
    options = f"lowerdir={lower},upperdir={folders['disk']},workdir={folders['work']}"
    try:
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(case.root)])
    except LabError as error:
        hint = "The lab's folder must lie on a file system like ext4, xfs or btrfs, not on an overlay"
        raise LabError(f"{laptop.hostname}: {error}", where=str(case.folder), hint=hint) from error

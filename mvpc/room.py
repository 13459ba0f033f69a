"""Room on the controller's disks: work that would be stopped half-way by a full one is not begun."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mvpc.errors import MvpcError

STATE_MB = 64
"""For the database, its log and its backups: results of 15,000 laptops need less."""
MEMORY_MB = 16
"""In /dev/shm, for the bundles of one shard for each core, and what Ansible keeps there."""
MEMORY = Path("/dev/shm")  # noqa: S108 - only looked at here


def require_room(places: Mapping[Path, int]) -> None:
    """Stop before anything is begun where a folder has less room (MiB) than it needs.

    Raises:
        MvpcError: names the folder.
    """
    for place, needed in places.items():
        disk = os.statvfs(place)
        free = disk.f_bavail * disk.f_frsize >> 20
        if free < needed:
            raise MvpcError(
                f"only {free} MB free, {needed} MB needed to begin",
                where=str(place),
                hint="Free some space, then try again",
            )

"""The run folder: private, in memory, gone with the run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mvpc.device import component_to_dict
from mvpc.errors import RolloutError
from mvpc.model import HostWork
from mvpc.playbook.hosts import Login, host_variables, inventory, role_variables
from mvpc.playbook.process import end_marked

_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made there is random and private
"""Memory, so that secrets never reach a disk. Ansible itself does not work without it (sem_overview(7))."""
_SETTLED = 60
"""Seconds after which a run folder without a lock belongs to nobody."""


@contextmanager
def run_folder() -> Iterator[Path]:
    """Make a private folder in memory; remove it at the end, with every process that still works in it.

    First does the same to folders of runs that were killed.

    Raises:
        RolloutError: there is no /dev/shm that can be written.
    """
    prefix = f"mvpc-{os.getuid()}-"
    _sweep(prefix)
    try:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY))
    except OSError as error:
        raise RolloutError(f"{_MEMORY} cannot be used ({error.strerror})", hint="Ansible and mvpc need it") from error
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def fill(folder: Path, work: Sequence[HostWork], login: Login, *, seconds: int) -> None:
    """Write what Ansible needs for this work: one bundle per laptop, and the inventory.

    Args:
        folder: the run folder.
        work: laptops with what they should be.
        login: how Ansible reaches them.
        seconds: how long one component may take on one laptop.

    Raises:
        RolloutError: there is no room for it.
    """
    (folder / "bundles").mkdir(mode=0o700)
    hosts: dict[str, dict[str, Any]] = {}
    for item in work:
        name = item.device.hostname
        parts = [item.bundle.component(component) for component in item.components]
        path = folder / "bundles" / f"{name}.json"
        _write_private(path, bundle_data(item))
        hosts[name] = {
            **host_variables(item.device, login),
            "mvpc_bundle_file": str(path),
            "mvpc_components": [part.name for part in parts if not part.role],
            **role_variables(part.role for part in parts if part.role),
            "mvpc_component_seconds": seconds,
            "mvpc_seconds": seconds * len(item.components),
        }
    _write_private(folder / "inventory.json", inventory(hosts))


def bundle_data(work: HostWork) -> dict[str, Any]:
    """What Ansible is given for one laptop: the components of the work, with their secrets, as plain data."""
    return {
        "device": work.device.hostname,
        "generation": work.generation,
        "components": [component_to_dict(work.bundle.component(name)) for name in work.components],
    }


def _write_private(path: Path, data: Any) -> None:
    # The mode is there before the first byte (CVE-2022-24302 in paramiko was this race).
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump(data, file)
    except OSError as error:
        raise RolloutError(f"{_MEMORY} cannot be written ({error.strerror})", hint="Free some space there") from error


def _sweep(prefix: str) -> None:
    for folder in _MEMORY.glob(f"{prefix}*"):
        with suppress(OSError):  # its run is alive, or somebody else removes it just now
            state = folder.lstat()
            if state.st_uid == os.getuid() and time.time() - state.st_mtime > _SETTLED:
                _remove_dead(folder)


def _remove_dead(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    end_marked(folder)
    shutil.rmtree(folder, ignore_errors=True)

"""Ask NetworkManager's own parser about a keyfile: `nmcli --offline`, which needs no daemon and changes nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from mvpc.keyfile import parse
from mvpc.text import safe

_SECONDS = 20


def find_nmcli(images: Iterable[Path]) -> tuple[str, ...]:
    """The command to run: this machine's nmcli, else that of the first built image that has one (as root); or ().

    An image's own nmcli is the one that laptops will have, and the controller then needs no NetworkManager.
    """
    if shutil.which("nmcli"):
        return ("nmcli",)
    chroot = shutil.which("chroot")
    for rootfs in images:
        if chroot and (rootfs / "usr/bin/nmcli").is_file():
            return (chroot, str(rootfs), "/usr/bin/nmcli")
    return ()


def complaint(nmcli: tuple[str, ...], keyfile: str) -> str:
    """What NetworkManager says against a keyfile; empty when it reads it and understands the same as we do."""
    try:
        done = subprocess.run(
            # The modification changes nothing: it sets the id to what it is, so that nmcli reads and prints the file.
            [*nmcli, "--offline", "connection", "modify", "connection.id", parse(keyfile)["connection"]["id"]],
            input=keyfile,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nmcli could not be run ({type(error).__name__})"
    if done.returncode:
        return safe(done.stderr.strip() or f"nmcli failed with {done.returncode}", limit=300)
    return _differences(parse(keyfile), parse(done.stdout))


def _differences(ours: dict[str, dict[str, str]], theirs: dict[str, dict[str, str]]) -> str:
    """Keys that NetworkManager dropped; it may spell a value in another way or leave out a default."""
    lost = [section for section in ours if section not in theirs]
    return f"NetworkManager does not know {', '.join(f'[{section}]' for section in lost)}" if lost else ""

"""What is on the way in: the files in which a mistake can keep everybody out, and the units that go by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from mvpc.device.converge.machine import Machine, read_text
from mvpc.device.converge.resources import File

WAY_IN = (
    "/etc/NetworkManager/",
    "/etc/mvpc/pki/",
    "/etc/mvpc/ssh/",
    "/etc/nftables",
    "/etc/resolv.conf",
    "/etc/ssh/",
    "/etc/strongswan.d/",
    "/etc/swanctl/",
    "/etc/systemd/network/",
    "/etc/systemd/resolved.conf.d/",
    "/etc/systemd/system/strongswan.service.d/",
)
"""A mistake in a file below these can keep everybody out."""
BY_NETWORK_MANAGER = ("/etc/NetworkManager/", "/etc/mvpc/pki/")
"""NetworkManager reads these when it brings up a connection."""
UNITS = "/etc/systemd/system/"
LOADS_RULES = re.compile(r"^Exec\w+=.*\bnft\b", re.MULTILINE)
"""A unit file with this loads rules of nftables, and can keep everybody out as well."""


def files_on_the_way_in(machine: Machine, files: Iterable[File]) -> Mapping[str, File]:
    """Path -> file, of those in which a mistake can keep everybody out."""
    return {file.path: file for file in files if is_on_the_way_in(machine, file)}


def is_on_the_way_in(machine: Machine, file: File) -> bool:
    """Whether the file lies there, has rules of nftables wherever it lies, or loads some."""
    return file.path.startswith(WAY_IN) or file.path.endswith(".nft") or loads_rules(machine, file)


def loads_rules(machine: Machine, file: File) -> bool:
    """Whether it is a unit file that loads rules of nftables, as it shall be or as it is."""
    texts = (file.content, read_text(machine.path(file.path))) if file.path.startswith(UNITS) else ()
    return any(LOADS_RULES.search(text) for text in texts)


def units_that_go_by(files: Mapping[str, File]) -> set[str]:
    """Names of units that these files define or notify."""
    notified = {word.split()[1] for file in files.values() for word in file.notify if " " in word}
    return notified | {Path(path).name for path in files if path.startswith(UNITS)}

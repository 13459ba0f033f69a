"""Resources: the fields of mvpc.model, and what the ledger adds to them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

CONNECTIONS = "/etc/NetworkManager/system-connections"


class File(NamedTuple):
    """A file or, with `target`, a symbolic link."""

    path: str
    content: str = ""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    target: str = ""
    present: bool = True
    validate: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    device_keys: Mapping[str, str] = {}
    sha256: str = ""
    """Ledger only: of the content as written, with the laptop's keys in it."""

    @property
    def identity(self) -> str:
        """What only one component may have: the place in the file system."""
        return self.path

    @property
    def label(self) -> str:
        """What to call it in words."""
        place = Path(self.path)
        return f"connection {place.stem}" if place.parent == Path(CONNECTIONS) else f"file {self.path}"

    @property
    def secret(self) -> bool:
        """Whether its content must never be shown."""
        return not int(self.mode, 8) & stat.S_IROTH or bool(self.device_keys)


class Connection(NamedTuple):
    """A NetworkManager keyfile (nm-settings-keyfile(5)): to the walk a private file with a name of its own."""

    id: str
    uuid: str
    content: str = ""
    device_keys: Mapping[str, str] = {}
    sha256: str = ""
    """Ledger only: of the content as written, with the laptop's keys in it."""

    @property
    def identity(self) -> str:
        """Its place in the file system."""
        return f"{CONNECTIONS}/{self.id}.nmconnection"

    def file(self) -> File:
        """The keyfile. NetworkManager ignores those that others may read."""
        return File(
            path=self.identity,
            content=self.content,
            mode="0600",
            notify=("connections",),
            device_keys=self.device_keys,
            sha256=self.sha256,
        )


class Package(NamedTuple):
    """A Debian package; `version` empty means any version that is installed."""

    name: str
    present: bool = True
    version: str = ""
    ours: bool = False
    """Ledger only: mvpc installed it, so mvpc removes it when nothing wants it any more."""

    @property
    def identity(self) -> str:
        """Packages, units and files are worlds of their own."""
        return f"package {self.name}"


class Unit(NamedTuple):
    """A systemd unit. `masked` wins over the others."""

    name: str
    enabled: bool = True
    running: bool = True
    masked: bool = False
    ours: bool = False
    """Ledger only: mvpc enabled or masked it, so mvpc takes that back when nothing wants it any more."""

    @property
    def identity(self) -> str:
        """Packages, units and files are worlds of their own."""
        return f"unit {self.name}"


class Component(NamedTuple):
    """A named part of the laptop's configuration."""

    name: str
    digest: str
    resources: tuple[Any, ...]


Kind = TypeVar("Kind", File, Connection, Package, Unit)
KINDS: Mapping[str, type[Any]] = {"file": File, "connection": Connection, "package": Package, "unit": Unit}
LEDGER_ONLY = frozenset({"sha256", "ours"})

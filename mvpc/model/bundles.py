"""What a laptop should be: settings with their origin, resources, components, bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

COMPONENTS = ("base", "vpn", "wifi", "software")
"""The components of every bundle, in its order. Enrolled laptops have identity after base, and a site's own roles
follow them all; `Bundle.names` has all."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """The line that a value comes from."""

    file: str
    """Path relative to the project folder, with forward slashes."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The winning line of one settings path, and what it overrode, nearest first."""

    value: Scalar
    source: Source
    overrides: tuple[tuple[Scalar, Source], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file or, with `target`, a symbolic link. `present=False` means it must not exist."""

    path: str
    content: str = ""
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    target: str = ""
    present: bool = True
    validate: tuple[str, ...] = ()
    """argv that must succeed on the new content before it is installed; `%s` is the temporary file."""
    notify: tuple[str, ...] = ()
    """What must follow a change: `reload ssh.service`, `restart X`, `daemon-reload`, `hostname`, `dconf`."""
    device_keys: Mapping[str, str] = field(default_factory=dict)
    """Token in the content -> kind of private key that the laptop made and keeps: `wireguard`, `device`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A Debian package; `version` empty means any version that is installed."""

    name: str
    present: bool = True
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A systemd unit. `masked=True` wins over the others."""

    name: str
    enabled: bool = True
    running: bool = True
    masked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A NetworkManager keyfile, root-owned with mode 0600 (nm-settings-keyfile(5))."""

    id: str
    uuid: str
    content: str
    device_keys: Mapping[str, str] = field(default_factory=dict)


Resource = File | Package | Unit | Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleRun:
    """How a component runs one of the site's own Ansible roles. Holds no secrets."""

    role: str
    tasks: str = "main"
    """File of the role's `tasks` that is run: `main`, `remove` when it is taken off, or empty for none."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Ansible variable -> plain data."""
    max_age_days: int = 0
    """After so many days it is run again, whatever the laptop says; 0 means never."""

    @property
    def component(self) -> str:
        """Name of the component that runs the role."""
        return f"local-{self.role}"

    @property
    def taken_off(self) -> bool:
        """Whether the laptop shall be without the role."""
        return self.tasks != "main"


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A named part of a laptop's configuration. `digest` is keyed, since it covers secrets."""

    name: str
    digest: str
    resources: tuple[Resource, ...]
    inputs: Mapping[str, Scalar] = field(default_factory=dict)
    """The settings it was made from, `path -> value`, without secrets: what a plan explains changes with."""
    role: RoleRun | None = None
    """The role of the site that it consists of, instead of resources."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """Everything that one laptop should be. Holds secrets: only in memory and in 0600 files."""

    device: str
    components: tuple[Component, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its components, in the order in which the laptop converges them."""
        return tuple(part.name for part in self.components)

    def component(self, name: str) -> Component:
        """The component of that name; raises KeyError."""
        return {part.name: part for part in self.components}[name]

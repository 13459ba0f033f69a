"""The values that cross module borders. All frozen; none of them knows a database, a file or a screen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

HOSTNAME = re.compile(r"^[a-z](?:[a-z0-9-]{0,13}[a-z0-9])?\Z")
"""At most 15 ASCII characters (NetBIOS), lower case, no digit first, no hyphen at either end (RFC 952, RFC 1123)."""

COMPONENTS = ("base", "vpn", "wifi", "software")
"""The components of every bundle, in the order in which a laptop converges them."""

Scalar = str | int | float | bool | None


# --- inventory -------------------------------------------------------------------------------


class Workplace(StrEnum):
    """Kind of workplace; each has its own profile layer."""

    STANDARD = "standard"
    MOBILE = "mobile"
    PERFORMANCE = "performance"
    SPECIAL = "special"


class LifeCycle(StrEnum):
    """Where a laptop is in its life. The allowed steps are in `NEXT_STATES`."""

    ORDERED = "ordered"  #: bestellt
    DELIVERED = "delivered"  #: geliefert
    IMAGED = "imaged"  #: betankt
    IN_USE = "in_use"  #: übergeben
    IN_REPAIR = "in_repair"  #: in Reparatur
    SPARE = "spare"  #: Ersatz
    RETURNED = "returned"  #: zurückgenommen
    ERASED = "erased"  #: gelöscht
    RETIRED = "retired"  #: ausgesondert
    LOST = "lost"  #: verloren


_L = LifeCycle
NEXT_STATES: Mapping[LifeCycle, frozenset[LifeCycle]] = {
    _L.ORDERED: frozenset({_L.DELIVERED}),
    _L.DELIVERED: frozenset({_L.IMAGED, _L.RETURNED, _L.LOST}),
    _L.IMAGED: frozenset({_L.IN_USE, _L.SPARE, _L.IN_REPAIR, _L.RETURNED, _L.LOST}),
    _L.IN_USE: frozenset({_L.IN_REPAIR, _L.RETURNED, _L.SPARE, _L.LOST}),
    _L.IN_REPAIR: frozenset({_L.IMAGED, _L.IN_USE, _L.SPARE, _L.RETURNED, _L.LOST}),
    _L.SPARE: frozenset({_L.IMAGED, _L.IN_USE, _L.IN_REPAIR, _L.RETURNED, _L.LOST}),
    _L.RETURNED: frozenset({_L.ERASED, _L.SPARE, _L.LOST}),
    _L.ERASED: frozenset({_L.IMAGED, _L.SPARE, _L.RETIRED}),
    _L.LOST: frozenset({_L.RETURNED, _L.RETIRED}),
    _L.RETIRED: frozenset(),
}

ROLLED_OUT_STATES = frozenset({_L.IMAGED, _L.IN_USE, _L.SPARE})
"""Only laptops in these states receive rollouts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One laptop of the inventory. Its ressort follows from its authority on a given day."""

    number: int = 0
    """Position in the inventory, given once and never reused; 0 before the device is stored."""
    inventory_number: str
    hostname: str
    serial: str
    vendor: str = ""
    model: str = ""
    os: str = "debian-13"
    """Family and release, lower case: `debian-13`, `ubuntu-24.04`, `windows-11`."""
    workplace: Workplace = Workplace.STANDARD
    authority: str
    site: str
    room: str = ""
    state: LifeCycle = LifeCycle.ORDERED
    address: str = ""
    """Name or IP address for SSH; empty means the hostname itself."""
    host_key: str = ""
    """Public SSH host key as in known_hosts, `ssh-ed25519 AAAA...`; empty means not enrolled."""
    delivered: date | None = None
    """Day of delivery (Lieferdatum), where known."""
    warranty_until: date | None = None
    """Last day of the warranty (Garantie-Ablaufdatum), where known."""

    @property
    def is_linux(self) -> bool:
        """Whether mvpc can manage the operating system at all."""
        return self.os.split("-")[0] in {"debian", "ubuntu"}


# --- profiles --------------------------------------------------------------------------------


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


# --- bundle ----------------------------------------------------------------------------------


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
    """What must follow a change: `reload ssh.service`, `restart X`, `daemon-reload`, `hostname`."""
    device_keys: Mapping[str, str] = field(default_factory=dict)
    """Token in the content -> kind of private key that the laptop makes and keeps (`wireguard`)."""


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
class Component:
    """A named part of a laptop's configuration. `digest` is keyed, since it covers secrets."""

    name: str
    digest: str
    resources: tuple[Resource, ...]
    inputs: Mapping[str, Scalar] = field(default_factory=dict)
    """The settings it was made from, `path -> value`, without secrets: what a plan explains changes with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """Everything that one laptop should be. Holds secrets: only in memory and in 0600 files."""

    device: str
    components: tuple[Component, ...]

    def component(self, name: str) -> Component:
        """The component of that name; raises KeyError."""
        return {part.name: part for part in self.components}[name]


# --- what devices say ------------------------------------------------------------------------


class Reach(StrEnum):
    """How far a probe came."""

    REACHED = "reached"
    UNREACHABLE = "unreachable"  #: no answer on the network: asleep, off, elsewhere
    REFUSED = "refused"  #: it answered, but not as the laptop we know: host key, login, sudo
    BROKEN = "broken"  #: logged in, but the answer was no valid report


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One laptop's answer to the one-round-trip question."""

    device: str
    at: datetime
    reach: Reach
    detail: str = ""
    """Why it was not reached; empty when it was."""
    generation: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    """Component -> digest in the laptop's own ledger."""
    drift: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Component -> what differs from the ledger, in words."""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Outcome(StrEnum):
    """How one component, or one whole laptop, came out of a rollout."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentResult:
    """The outcome of one component on one laptop in one rollout."""

    device: str
    component: str
    outcome: Outcome
    digest: str = ""
    at: datetime
    changes: tuple[str, ...] = ()
    """What was done, in words: `file /etc/ssh/sshd_config.d/10-mvpc.conf updated (content)`."""
    error: str = ""


# --- plan ------------------------------------------------------------------------------------


class Action(StrEnum):
    """What a rollout will do to one component of one laptop."""

    CREATE = "create"  #: never applied before
    UPDATE = "update"  #: profile, secret, template or catalogue changed
    REPAIR = "repair"  #: same target as before, but the laptop differs (drift)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One component of one laptop that will be converged, and why."""

    device: str
    component: str
    action: Action
    reason: str
    source: str = ""
    """`file:line` of the setting that caused it, when one did."""
    digest: str


class Skip(StrEnum):
    """Why a selected laptop has no change in a plan."""

    VERIFIED = "unchanged"  #: asked just now, nothing differs
    RECORDED = "recorded"  #: not asked; our records say nothing differs
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NOT_LINUX = "not_linux"
    NOT_ENROLLED = "not_enrolled"
    NOT_IN_SERVICE = "not_in_service"
    OTHER_OPERATOR = "other_operator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A selected laptop that will not be touched, and why."""

    device: str
    why: Skip
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Who changes, what and why; who does not, and why. Holds no secrets; safe to print and to store."""

    scope: str
    changes: tuple[Change, ...]
    skipped: tuple[Skipped, ...]
    ressorts: Mapping[str, str]
    """Device -> ressort code on the day of the plan."""
    hash: str

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices with at least one change, in plan order."""
        return tuple(dict.fromkeys(change.device for change in self.changes))


# --- rollout ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class HostWork:
    """What one run converges on one laptop."""

    device: Device
    bundle: Bundle
    components: tuple[str, ...]
    generation: int


# --- records ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which devices of the inventory are meant. What is empty selects nothing out; the rest must all hold."""

    authorities: frozenset[str] | None = None
    """Codes of authorities; None means all. A ressort is given as its authorities on the day in question."""
    site: str = ""
    model: str = ""
    """Part of vendor and model, in any case."""
    state: LifeCycle | None = None
    os: str = ""
    """Family (`debian`) or family and release (`debian-13`)."""
    text: str = ""
    """Part of any name, number, place or address of the device, in any case."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceEvent:
    """One entry of a device's history: who changed what, and when."""

    device: str
    at: datetime
    actor: str
    action: str
    """`add`, `import`, `set`, `move`, `retire`, ..."""
    changes: Mapping[str, tuple[str, str]]
    """Field -> (before, after) as text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentState:
    """What one component of one laptop last proved. Unreachable laptops prove nothing, so it stays."""

    device: str
    component: str
    outcome: Outcome
    digest: str
    """Digest in the laptop's ledger afterwards; empty after a failure."""
    at: datetime
    rollout: int
    inputs: Mapping[str, Scalar] = field(default_factory=dict)
    """The settings that it was made from."""
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceSeen:
    """What probes last learned of one laptop."""

    device: str
    at: datetime
    """When it was last tried."""
    reach: Reach
    detail: str = ""
    last_seen: datetime | None = None
    """When it last answered as itself; `generation`, `digests`, `drift` and `facts` are of then."""
    generation: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    drift: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Without what a rollout has repaired since."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRow:
    """One rollout in short."""

    id: int
    started: datetime
    ended: datetime | None
    """None while it runs, or when mvpc itself was killed."""
    interrupted: bool
    actor: str
    scope: str
    plan_hash: str
    counts: Mapping[str, int]
    """Devices by their worst outcome; empty until it has ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRecord:
    """One rollout in full."""

    row: RolloutRow
    plan: Plan
    results: tuple[ComponentResult, ...]

"""The inventory: laptops, their life, and how they are chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

HOSTNAME = re.compile(r"^[a-z](?:[a-z0-9-]{0,13}[a-z0-9])?\Z")
"""At most 15 ASCII characters (NetBIOS), lower case, no digit first, no hyphen at either end (RFC 952, RFC 1123)."""


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
    """Public SSH host key as in known_hosts, `ssh-ed25519 AAAA...`; empty means that nobody knows it yet."""
    delivered: date | None = None
    """Day of delivery (Lieferdatum), where known."""
    warranty_until: date | None = None
    """Last day of the warranty (Garantie-Ablaufdatum), where known."""

    @property
    def is_linux(self) -> bool:
        """Whether mvpc can manage the operating system at all."""
        return self.os.split("-")[0] in {"debian", "ubuntu"}


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

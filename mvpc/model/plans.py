"""Plans: who changes, what and why; in which ring; who does not change, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mvpc.model.bundles import Scalar


class Action(StrEnum):
    """What a rollout will do to one component of one laptop."""

    CREATE = "create"  #: never applied before
    UPDATE = "update"  #: profile, secret, template or catalogue changed
    REPAIR = "repair"  #: same target as before, but the laptop differs (drift)
    FULL = "full"  #: nothing is known to differ; walked in full all the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One setting that differs from what the component was last made from. Secrets are names of references."""

    path: str
    old: Scalar = None
    """None: it was not set."""
    new: Scalar = None
    """None: it is no longer set."""
    source: str = ""
    """`file:line` that sets it now; empty where nothing does."""
    whole: str = ""
    """The map that comes or goes as a whole with this setting; empty where it does not."""
    words: str = ""
    """What to say of it where the path is none of a setting."""

    @property
    def removes(self) -> bool:
        """Whether something leaves the laptop: the setting itself, or what a profile now wants absent."""
        return self.new is None or self.new == "absent"

    def __str__(self) -> str:
        if self.words:
            return self.words
        sign = "- " if self.removes else "+ " if self.old is None else ""
        if self.old is None or self.new is None:
            return f"{sign}{self.path} = {_in_a_line(self.old if self.new is None else self.new)}"
        return f"{sign}{self.path}: {_in_a_line(self.old)} -> {_in_a_line(self.new)}"


def _in_a_line(value: Scalar) -> Scalar:
    """A value as it is; of a text with several lines, such as the key of a package source, what tells it apart."""
    if not isinstance(value, str) or "\n" not in value:
        return value
    return f"{len(value.splitlines())} lines (sha256 {hashlib.sha256(value.encode()).hexdigest()[:8]})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One component of one laptop that will be converged, and why."""

    device: str
    component: str
    action: Action
    reason: str
    source: str = ""
    """`file:line` of the setting that caused it, when one did."""
    edits: tuple[Edit, ...] = ()
    """Every setting that differs, removals first; empty where no setting caused it."""
    drift: tuple[str, ...] = ()
    """Everything that differs on the laptop, in its own words, where that caused it."""
    digest: str


class Skip(StrEnum):
    """Why a selected laptop has no change in a plan."""

    VERIFIED = "unchanged"  #: asked just now, nothing differs
    RECORDED = "recorded"  #: not asked; our records say nothing differs
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NOT_LINUX = "not_linux"
    NO_HOST_KEY = "no_host_key"
    NOT_IN_SERVICE = "not_in_service"
    OTHER_OPERATOR = "other_operator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A selected laptop that will not be touched, and why."""

    device: str
    why: Skip
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """The rule between a ring and the next one. Unreachable laptops count neither as failed nor as verified."""

    max_failed: int = 5
    """More failed laptops than this stop the rollout at once."""
    max_failed_percent: float = 2.0
    """A larger share of the ring stops it as well."""
    quorum_percent: float = 80.0
    """This share of the ring must have been verified before the next ring may begin."""
    wait_minutes: int = 0
    """How long the ring must have been finished before the next one may begin."""
    manual: bool = False
    """Whether a person must promote the rollout to the next ring."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ring:
    """An ordered group of a rollout, as mvpc.toml defines it."""

    name: str
    percent: float
    """Share of all devices that this ring and those before it hold together."""
    devices: tuple[str, ...] = ()
    """Hostnames that are always in this ring."""
    authorities: tuple[str, ...] = ()
    """Codes of authorities whose devices are always in this ring."""
    gate: Gate = Gate()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRing:
    """A ring of one plan, with its devices."""

    name: str
    gate: Gate
    devices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Who changes, what and why; who does not, and why. Holds no secrets; safe to print and to store."""

    scope: str
    changes: tuple[Change, ...]
    skipped: tuple[Skipped, ...]
    ressorts: Mapping[str, str]
    """Device -> ressort code on the day of the plan."""
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Device -> authority code."""
    rings: tuple[PlannedRing, ...] = ()
    """In the order in which they are rolled out to; together they hold every device that changes."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Device -> why it is in its ring, in words."""
    sample: tuple[str, ...] = ()
    """Unchanged devices that are walked in full all the same, and must turn out to be unchanged."""
    basis: str = ""
    """Fingerprint of what all selected laptops should be: another one means that profiles, catalogue, secrets or
    inventory have changed since."""
    maker: str = ""
    """Login of who made it: one of the two who cannot approve it."""
    hash: str
    """Fingerprint of what it does, to whom, by whom it was made, and what all of them should be."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Devices with at least one change, in plan order."""
        return tuple(dict.fromkeys(change.device for change in self.changes))

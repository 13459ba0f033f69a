"""What laptops say, what came of the work on them, and what we remember of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from mvpc.model.bundles import Scalar
from mvpc.model.software import ServiceAnswer, SoftwareAnswer


class Reach(StrEnum):
    """How far a probe came."""

    REACHED = "reached"
    UNREACHABLE = "unreachable"  #: no answer on the network: asleep, off, elsewhere
    REFUSED = "refused"  #: it answered, but not as the laptop we know: host key, login, sudo
    BROKEN = "broken"  #: logged in, but the answer was no valid report


NO_LOGIN = "it does not let"
"""How the detail of a REFUSED laptop begins that is the one we know, but takes neither our account nor our key."""


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
    software: SoftwareAnswer | None = None
    """What it said about its software, if it was asked."""
    services: tuple[ServiceAnswer, ...] | None = None
    """Which central services it reaches, if it was asked."""
    on_offer: Mapping[str, bool] | None = None
    """Package that is not there in its exact version -> whether a source of the laptop has that version; None when it
    was not asked, or could not tell."""


class Outcome(StrEnum):
    """How one component, or one whole laptop, came out of a rollout. The later in this list, the worse."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    DEFERRED = "deferred"  #: somebody else works on it; it waits for the next sweep
    UNREACHABLE = "unreachable"  #: no answer; it waits until the laptop comes back
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"  #: the laptop took it back: nobody got in any more, or what worked did so no more
    NEEDS_REPAIR = "needs_repair"  #: failed, and no profile can mend it: a person must

    @property
    def waits(self) -> bool:
        """Whether it is served later without anyone's doing. Neither a success nor a failure."""
        return self in {Outcome.DEFERRED, Outcome.UNREACHABLE}

    @property
    def is_bad(self) -> bool:
        """Whether it counts as a failure."""
        return self in {Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.NEEDS_REPAIR}

    @property
    def is_done(self) -> bool:
        """Whether the laptop has become what was wanted."""
        return self in {Outcome.CHANGED, Outcome.UNCHANGED}


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentResult:
    """The outcome of one component on one laptop in one rollout."""

    device: str
    component: str
    outcome: Outcome
    digest: str = ""
    """In the laptop's ledger afterwards; of an unreachable one, what it would have been brought to."""
    at: datetime
    changes: tuple[str, ...] = ()
    """What was done, in words: `file /etc/ssh/sshd_config.d/10-mvpc.conf updated (content)`."""
    error: str = ""


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
    """0 when the laptop proved it without any rollout that we know of."""
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
class SoftwareSeen:
    """What we know of the software of one laptop."""

    device: str
    asked: datetime
    """When it was last tried."""
    reach: Reach
    detail: str = ""
    """Why it was not reached; empty when it was."""
    answered: datetime | None = None
    """When it last answered; packages and checks are of then."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Package -> version, of the packages that products of the catalogue are made of; of Flatpaks their state."""
    checks: Mapping[str, str] = field(default_factory=dict)
    """As in `SoftwareAnswer`."""

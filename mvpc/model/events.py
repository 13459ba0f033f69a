"""What happens in a rollout, as those who watch it are told. Whatever an event tells of is durable already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mvpc.model.answers import ComponentResult
from mvpc.model.plans import Plan
from mvpc.model.rollouts import RolloutState


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutBegun:
    """A rollout was begun or carried on."""

    at: datetime
    number: int
    plan: Plan
    first_ring: int = 0
    """Position of the ring that it begins with; those before it are through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RingBegun:
    """A ring begins."""

    at: datetime
    ring: str
    work: Mapping[str, tuple[str, ...]]
    """Laptop -> components that are converged now; the ring's other laptops have proved theirs or are asleep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultsStored:
    """Some results arrived and were stored."""

    at: datetime
    results: tuple[ComponentResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RingAsked:
    """A ring's work is done; these of its laptops are being asked for proof."""

    at: datetime
    ring: str
    devices: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RingVerified:
    """A ring's laptops have answered."""

    at: datetime
    ring: str
    devices: tuple[str, ...]
    """Those that said themselves that nothing differs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GateJudged:
    """A ring was judged: the next one may begin, or the rollout comes to rest."""

    at: datetime
    ring: str
    reason: str
    """Why nothing more may begin; empty when the gate is open."""

    @property
    def is_open(self) -> bool:
        """Whether the next ring may begin."""
        return not self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutEnded:
    """A rollout came to rest."""

    at: datetime
    number: int
    state: RolloutState
    reason: str
    """Why it is not done; empty when it is."""


RolloutEvent = RolloutBegun | RingBegun | ResultsStored | RingAsked | RingVerified | GateJudged | RolloutEnded

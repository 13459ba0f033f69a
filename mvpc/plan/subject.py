"""A laptop as a plan sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mvpc.model import Bundle, ComponentState, Device, Probe, Reach, Source

if TYPE_CHECKING:
    from mvpc.software import Pin  # loads pydantic


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One selected laptop with all that a decision about it needs."""

    device: Device
    ressort: str
    operator: str
    bundle: Bundle | None = None
    """What it should be; None when it is not rolled out to at all."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Settings path -> the line that set it."""
    pins: Sequence[Pin] = ()
    """Packages that are held at an exact version."""
    recorded: Mapping[str, ComponentState] = field(default_factory=dict)
    """Component -> what our records say was last done."""
    drift: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Component -> what differed when the laptop was last asked."""
    probe: Probe | None = None
    """What the laptop itself said just now; None when it was not asked."""

    @property
    def answered(self) -> bool:
        """Whether it was asked just now, and answered as itself."""
        return self.probe is not None and self.probe.reach is Reach.REACHED

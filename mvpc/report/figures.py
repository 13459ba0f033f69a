"""What a rollout record says in numbers. Every selected laptop is counted exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mvpc.model import Action, ComponentResult, Outcome, Plan, RolloutRecord, Skip
from mvpc.text import first_line


class Fate(StrEnum):
    """How one laptop fared: the worst outcome among its components, or why it has none."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"  #: also when the laptop needs repair: what is wrong stands in the list of failures
    DEFERRED = "deferred"
    UNREACHABLE = "unreachable"
    OPEN = "open"  #: in the plan, but the rollout came to rest before its turn


_ORDER = tuple(Outcome)

_SKIPPED = {
    Skip.VERIFIED: "unchanged, asked just before",
    Skip.RECORDED: "unchanged by our records, not asked",
    Skip.UNREACHABLE: "unreachable",
    Skip.REFUSED: "refused",
    Skip.NOT_LINUX: "not managed: no Linux",
    Skip.NO_HOST_KEY: "no host key",
    Skip.NOT_IN_SERVICE: "not in service",
    Skip.OTHER_OPERATOR: "other operator",
}


@dataclass(frozen=True, slots=True)
class Group:
    """Some laptops under one name, by how they fared."""

    name: str
    counts: Mapping[Fate, int]

    @property
    def total(self) -> int:
        """Number of laptops."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed on one laptop for one reason."""

    device: str
    place: str
    components: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Laptops of one authority that did not answer, for one reason, and what waits for them."""

    place: str
    components: tuple[str, ...]
    detail: str
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Identical changes together, as the plan shows them."""

    component: str
    action: Action
    reason: str
    source: str
    devices: int


@dataclass(frozen=True, slots=True)
class Untouched:
    """Laptops that were selected and left alone for the same reason."""

    why: str
    detail: str
    devices: tuple[str, ...]


def worst(results: Iterable[ComponentResult]) -> dict[str, Outcome]:
    """Device -> the worst outcome among its components."""
    found: dict[str, Outcome] = {}
    for result in results:
        found[result.device] = max(found.get(result.device, Outcome.UNCHANGED), result.outcome, key=_ORDER.index)
    return found


def fates(record: RolloutRecord) -> dict[str, Fate]:
    """Device -> how it fared, for every device of the plan that changes or has results."""
    found = {
        device: Fate.FAILED if outcome.is_bad else Fate(outcome) for device, outcome in worst(record.results).items()
    }
    return dict.fromkeys(record.plan.devices, Fate.OPEN) | found


def by_ressort(plan: Plan, fared: Mapping[str, Fate]) -> list[Group]:
    """The laptops by ressort, in the order of their codes."""
    groups: dict[str, Counter[Fate]] = {}
    for device, fate in fared.items():
        groups.setdefault(plan.ressorts.get(device, "none"), Counter())[fate] += 1
    return [Group(code.upper(), counts) for code, counts in sorted(groups.items())]


def by_ring(plan: Plan, fared: Mapping[str, Fate]) -> list[Group]:
    """The laptops by ring, in order; those that are in none come last."""
    placed = {device for ring in plan.rings for device in ring.devices}
    rings = [Group(ring.name, Counter(fared.get(name, Fate.OPEN) for name in ring.devices)) for ring in plan.rings]
    rest = Counter(fate for device, fate in fared.items() if device not in placed)
    return [*rings, Group("in no ring (asleep)", rest)] if rest else rings


def failures(record: RolloutRecord) -> list[Failure]:
    """What failed, by laptop, with the first line of what was said."""
    parts: dict[tuple[str, str], list[str]] = {}
    for result in sorted(record.results, key=lambda result: (result.device, result.component)):
        if result.outcome.is_bad:
            parts.setdefault((result.device, first_line(result.error)), []).append(result.component)
    return [
        Failure(device, place(record.plan, device), tuple(names), error) for (device, error), names in parts.items()
    ]


def waiting(record: RolloutRecord) -> list[Waiting]:
    """Laptops with components that were not reached, by place."""
    groups: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for device, components, detail in sorted(_unreached(record)):
        groups.setdefault((place(record.plan, device), components, detail), []).append(device)
    return [Waiting(*key, devices=tuple(names)) for key, names in sorted(groups.items())]


def _unreached(record: RolloutRecord) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Laptop, what waits for it, and why."""
    parts: dict[str, dict[str, str]] = {}
    for result in record.results:
        if result.outcome.waits:
            parts.setdefault(result.device, {})[result.component] = first_line(result.error)
    asleep = {skip.device for skip in record.plan.skipped}
    for device, found in parts.items():
        unsaid = "no answer before the rollout" if device in asleep else "no answer"
        yield device, tuple(sorted(found)), next(filter(None, found.values()), unsaid)


def changes(plan: Plan) -> list[ChangeGroup]:
    """The changes of the plan, identical ones together, in plan order."""
    groups = Counter((change.component, change.action, change.reason, change.source) for change in plan.changes)
    return [ChangeGroup(*key, devices=number) for key, number in groups.items()]


def walked(record: RolloutRecord) -> int:
    """Number of laptops of the sample that were walked to the end."""
    good = {Fate.CHANGED, Fate.UNCHANGED}
    fared = fates(record)
    return sum(fared[device] in good for device in record.plan.sample)


def untouched(record: RolloutRecord) -> list[Untouched]:
    """Selected laptops without any result or change, by reason; the largest group first."""
    known = fates(record).keys()
    groups: dict[tuple[str, str], list[str]] = {}
    for skip in record.plan.skipped:
        if skip.device not in known:
            groups.setdefault((_SKIPPED[skip.why], skip.detail), []).append(skip.device)
    rows = [Untouched(why, detail, tuple(sorted(names))) for (why, detail), names in groups.items()]
    return sorted(rows, key=lambda row: (-len(row.devices), row.why, row.detail))


def place(plan: Plan, device: str) -> str:
    """Ressort and authority of a device, as far as the plan knows them."""
    return " · ".join(_place(plan, device))


def _place(plan: Plan, device: str) -> Iterator[str]:
    if ressort := plan.ressorts.get(device):
        yield ressort.upper()
    if authority := plan.authorities.get(device):
        yield authority

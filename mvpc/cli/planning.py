"""What `mvpc plan` and `mvpc rollout` share: select, ask the laptops, decide, and show the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

import typer

from mvpc.cli.console import BAD, OK, WARN, print_table, say
from mvpc.cli.context import now
from mvpc.cli.words import count
from mvpc.fleet import Fleet, Selection
from mvpc.model import Change, Device, Plan, Probe, Skip
from mvpc.plan import Subject, make_plan
from mvpc.project import Project
from mvpc.ssh import SshProber
from mvpc.store.write import Store

RessortOption = Annotated[str, typer.Option("--ressort", "-r", help="Only this ressort: its code, in any case.")]
AuthorityOption = Annotated[str, typer.Option("--authority", "-a", help="Only this authority: its code or name.")]
DeviceOption = Annotated[
    list[str] | None,
    typer.Option("--device", "-d", help="Only this laptop: hostname, inventory number or serial. May be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_SKIPPED = {
    Skip.VERIFIED: ("unchanged", OK),
    Skip.RECORDED: ("unchanged", OK),
    Skip.UNREACHABLE: ("unreachable", WARN),
    Skip.REFUSED: ("refused", BAD),
    Skip.NOT_LINUX: ("not managed", ""),
    Skip.NOT_ENROLLED: ("not enrolled", WARN),
    Skip.NOT_IN_SERVICE: ("not in service", ""),
    Skip.OTHER_OPERATOR: ("other operator", ""),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A plan with everything that a rollout needs to carry it out."""

    plan: Plan
    devices: tuple[Device, ...]
    subjects: tuple[Subject, ...]


def prober(project: Project) -> SshProber:
    """Asks the laptops of this project."""
    return SshProber(user=project.ssh_user, port=project.ssh_port, key=project.ssh_key, now=now)


def decide(fleet: Fleet, selection: Selection, *, ask: bool) -> Planned:
    """Select laptops, compile them, ask them when `ask` says so, and make the plan.

    Everything that can be wrong with profiles is found before the first laptop is asked.
    """
    devices = fleet.select(selection)
    subjects = fleet.subjects(devices)
    if ask:
        probes = _ask(fleet, devices)
        subjects = [replace(subject, probe=probes.get(subject.device.hostname)) for subject in subjects]
    return Planned(plan=make_plan(str(selection), subjects), devices=devices, subjects=tuple(subjects))


def _ask(fleet: Fleet, devices: Sequence[Device]) -> dict[str, Probe]:
    askable = fleet.askable(devices)
    answers = {probe.device: probe for probe in prober(fleet.project).probe(askable)}
    Store(fleet.project.database).record_probes(list(answers.values()))
    return answers


def show_plan(plan: Plan, *, each_device: bool) -> None:
    """Print the plan: identical changes together, then who does not change, and why."""
    total = len(plan.devices) + len(plan.skipped)
    say(f"Plan {plan.hash} · {plan.scope} · {count(total, 'device')}")
    if plan.changes:
        print_table("", ["component", "devices", "action", "why", "where"], _change_rows(plan))
    if plan.skipped:
        print_table("", ["not touched", "devices", "why"], _skip_rows(plan))
    if each_device:
        print_table("", ["device", "component", "action", "why", "where"], _device_rows(plan))


def _change_rows(plan: Plan) -> Iterator[list[object]]:
    groups = Counter((change.component, change.action, change.reason, change.source) for change in plan.changes)
    for (component, action, reason, source), number in groups.items():
        yield [component, number, action, reason, source]


def _skip_rows(plan: Plan) -> Iterator[list[object]]:
    groups = Counter((_SKIPPED[skip.why][0], skip.detail) for skip in plan.skipped)
    for (word, detail), number in sorted(groups.items()):
        yield [word, number, detail]


def _device_rows(plan: Plan) -> Iterator[list[object]]:
    for change in plan.changes:
        yield [change.device, change.component, change.action, change.reason, change.source]
    for skip in plan.skipped:
        yield [skip.device, "", _SKIPPED[skip.why][0], skip.detail, ""]


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain data with stable keys."""
    return {
        "hash": plan.hash,
        "scope": plan.scope,
        "changes": [_change(plan, change) for change in plan.changes],
        "skipped": [asdict(skip) | {"ressort": plan.ressorts.get(skip.device, "")} for skip in plan.skipped],
    }


def _change(plan: Plan, change: Change) -> dict[str, Any]:
    return asdict(change) | {"ressort": plan.ressorts.get(change.device, "")}

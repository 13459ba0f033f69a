"""What `mvpc plan` and `mvpc rollout` share: select, ask the laptops, decide, and show the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from mvpc.cli.console import BAD, OK, WARN, print_table, say
from mvpc.cli.context import now
from mvpc.cli.words import count
from mvpc.fleet import Fleet
from mvpc.model import Action, Device, Gate, Plan, Scalar, Skip
from mvpc.plan import Subject, Thoroughness, proofs
from mvpc.planfile import to_data
from mvpc.project import Project
from mvpc.ssh import SshProber
from mvpc.store.write import Store

RessortOption = Annotated[str, typer.Option("--ressort", "-r", help="Only this ressort: its code, in any case.")]
AuthorityOption = Annotated[str, typer.Option("--authority", "-a", help="Only this authority: its code or name.")]
DeviceOption = Annotated[
    list[str] | None,
    typer.Option("--device", "-d", help="Only this laptop: hostname, inventory number or serial. May be repeated."),
]
FullOption = Annotated[
    bool, typer.Option("--full", help="Every component of every laptop, whatever ledgers and digests say.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="Print JSON Lines: each event as it happens, everything in the last line.")
]

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


def prober(project: Project) -> SshProber:
    """Asks the laptops of this project."""
    return SshProber(user=project.ssh_user, port=project.ssh_port, key=project.ssh_key, now=now)


def examine(fleet: Fleet, devices: Sequence[Device], *, ask: bool) -> list[Subject]:
    """Compile laptops and, when `ask` says so, ask them how they are.

    Everything that can be wrong with profiles is found before the first laptop is asked.
    """
    subjects = fleet.subjects(devices)
    if not ask:
        return subjects
    answers = {probe.device: probe for probe in prober(fleet.project).probe(fleet.askable(devices))}
    store = Store(fleet.project.database)
    store.record_probes(list(answers.values()))
    asked = [replace(subject, probe=answers.get(subject.device.hostname)) for subject in subjects]
    store.confirm(list(proofs(asked)), {key: value for subject in asked for key, value in _inputs(subject)})
    return asked


def thoroughness(project: Project, *, full: bool) -> Thoroughness:
    """What plans of this project do beyond what is known to differ."""
    return Thoroughness(full=full, sample_percent=project.sample_percent, now=now())


def _inputs(subject: Subject) -> Iterator[tuple[tuple[str, str], Mapping[str, Scalar]]]:
    if subject.bundle:
        for component in subject.bundle.components:
            yield (subject.device.hostname, component.name), component.inputs


def show_plan(plan: Plan, *, each_device: bool) -> None:
    """Print the plan: identical changes together, then who does not change, and why, then the rings."""
    total = len(plan.devices) + len(plan.skipped)
    say(f"Plan {plan.hash} · {plan.scope} · {count(total, 'device')}")
    if plan.changes:
        print_table("", ["component", "devices", "action", "why", "where"], _change_rows(plan))
    if plan.skipped:
        print_table("", ["not touched", "devices", "why"], _skip_rows(plan))
    if each_device:
        print_table("", ["device", "component", "action", "why", "where"], _device_rows(plan))
    if len(plan.rings) > 1:
        sizes = " -> ".join(f"{ring.name} {len(ring.devices)}" for ring in plan.rings)
        say(f"Rings: {sizes} · {_gate(plan.rings[0].gate)}")


def _gate(gate: Gate) -> str:
    limit = f"stops above {gate.max_failed_percent:g} % or {gate.max_failed} failures"
    return f"{limit} · quorum {gate.quorum_percent:g} %"


def _change_rows(plan: Plan) -> Iterator[list[object]]:
    sample = set(plan.sample)
    groups = Counter(
        (change.component, change.action, change.reason, change.source)
        for change in plan.changes
        if change.device not in sample
    )
    for (component, action, reason, source), number in groups.items():
        yield [component, number, action, reason, source]
    if sample:
        yield ["all", len(sample), Action.FULL, "sample: must report no change", ""]


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
    """The plan as plain data with stable keys, the ressort and the authority beside each device, and counts of both."""
    data = to_data(plan)
    for row in (*data["changes"], *data["skipped"]):
        row["ressort"] = plan.ressorts.get(row["device"], "")
    data["counts"] = {
        "ressort": Counter(plan.ressorts[device] for device in plan.devices),
        "authority": Counter(plan.authorities[device] for device in plan.devices),
    }
    return data

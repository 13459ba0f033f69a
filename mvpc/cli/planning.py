"""What `mvpc plan` and `mvpc rollout` share: select, ask the laptops, decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from mvpc.cli.context import now
from mvpc.cli.laptops import asking, prober
from mvpc.fleet import Fleet
from mvpc.model import Device, Plan, Probe, Ring, Scalar
from mvpc.plan import Subject, Thoroughness, proofs
from mvpc.planfile import to_data
from mvpc.project import Project
from mvpc.ringconfig import rings_of
from mvpc.store.answers import record_probes

RessortOption = Annotated[str, typer.Option("--ressort", "-r", help="Only this ressort: its code, in any case.")]
AuthorityOption = Annotated[str, typer.Option("--authority", "-a", help="Only this authority: its code or name.")]
DeviceOption = Annotated[
    list[str] | None,
    typer.Option("--device", "-d", help="Only this laptop: hostname, inventory number or serial. May be repeated."),
]
RingsOption = Annotated[
    str, typer.Option("--rings", help="Shares of this rollout's rings, such as pilot=5,broad=100; see mvpc.toml.")
]
FullOption = Annotated[
    bool, typer.Option("--full", help="Every component of every laptop, whatever ledgers and digests say.")
]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="Print JSON Lines: each event as it happens, everything in the last line.")
]


def examine(fleet: Fleet, devices: Sequence[Device], *, ask: bool) -> list[Subject]:
    """Compile laptops and, when `ask` says so, ask them meanwhile how they are.

    Raises:
        InputError: with everything that is wrong with profiles; no more laptops are asked then.
    """
    if not ask:
        return fleet.subjects(devices)
    with asking(prober(fleet.project), fleet.askable(devices)) as answers:
        subjects = fleet.subjects(devices)
        return _store(fleet, subjects, answers())


def ask_all(fleet: Fleet, subjects: Sequence[Subject]) -> list[Subject]:
    """Ask laptops how they are, and store what they say."""
    devices = fleet.askable(subject.device for subject in subjects)
    return _store(fleet, subjects, {probe.device: probe for probe in prober(fleet.project).probe(devices)})


def _store(fleet: Fleet, subjects: Sequence[Subject], answers: Mapping[str, Probe]) -> list[Subject]:
    record_probes(fleet.project.database, list(answers.values()))
    asked = [replace(subject, probe=answers.get(subject.device.hostname)) for subject in subjects]
    if proved := list(proofs(asked)):
        from mvpc.store.write import Store  # noqa: PLC0415 - loads SQLAlchemy, and records seldom lag behind

        inputs = {key: value for subject in asked for key, value in _inputs(subject)}
        Store(fleet.project.database).confirm(proved, inputs)
    return asked


def thoroughness(project: Project, *, full: bool) -> Thoroughness:
    """What plans of this project do beyond what is known to differ."""
    return Thoroughness(full=full, sample_percent=project.sample_percent, now=now())


def rings_for(project: Project, text: str) -> Sequence[Ring]:
    """The rings of one rollout: those that a person gave, or those of the project."""
    return rings_of(text, project.rings) if text else project.rings


def _inputs(subject: Subject) -> Iterator[tuple[tuple[str, str], Mapping[str, Scalar]]]:
    if subject.bundle:
        for component in subject.bundle.components:
            yield (subject.device.hostname, component.name), component.inputs


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

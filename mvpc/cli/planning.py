"""What `mvpc plan` and `mvpc rollout` share: select, ask the laptops, decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from mvpc.cli.completing import authorities, laptops, ressorts
from mvpc.cli.console import WARN, say
from mvpc.cli.context import now
from mvpc.cli.laptops import asking, prober
from mvpc.errors import InputError
from mvpc.fleet import Fleet
from mvpc.model import Device, Plan, Probe, Ring, Scalar
from mvpc.plan import Subject, Thoroughness, is_proven, missing_versions, proofs
from mvpc.planfile import to_data
from mvpc.profiles import in_order
from mvpc.project import Project
from mvpc.ringconfig import rings_of, strangers
from mvpc.store.answers import record_probes

RessortOption = Annotated[
    str, typer.Option("--ressort", "-r", help="Only this ressort: its code, in any case.", autocompletion=ressorts)
]
AuthorityOption = Annotated[
    str, typer.Option("--authority", "-a", help="Only this authority: its code or name.", autocompletion=authorities)
]
DeviceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--device",
        "-d",
        help="Only this laptop: hostname, inventory number or serial. May be repeated.",
        autocompletion=laptops,
    ),
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


_ASKED = 3
"""So many laptops with the same layers are asked whether exact versions can be had."""


def examine(fleet: Fleet, devices: Sequence[Device], *, ask: bool) -> list[Subject]:
    """Compile laptops and, when `ask` says so, ask them meanwhile how they are.

    Raises:
        InputError: with everything that is wrong with profiles, and no more laptops are asked then; or with exact
            versions that nobody has any more.
    """
    if not ask:
        return fleet.subjects(devices)
    with asking(prober(fleet.project), fleet.askable(devices)) as answers:
        subjects = fleet.subjects(devices)
        asked = _store(fleet, subjects, answers())
    if problems := missing_versions(_ask_for_versions(fleet.project, asked)):
        raise InputError.of(in_order(problems))
    return asked


def _ask_for_versions(project: Project, subjects: Sequence[Subject]) -> list[Subject]:
    """Ask laptops whose software will change and has exact versions whether they can get these.

    A few of those with the same layers do: they have the same package sources, and fetch their lists for it.
    """
    alike: dict[int, list[Subject]] = {}
    for each in subjects:
        if each.pins and each.answered and not is_proven(each, "software"):
            alike.setdefault(id(each.pins), []).append(each)
    changing = [each for group in alike.values() for each in group[:_ASKED]]
    if not changing:
        return []
    from mvpc.software import Questions  # noqa: PLC0415 - loads pydantic, and versions are seldom exact

    questions = {
        each.device.hostname: Questions(versions={pin.package: pin.version for pin in each.pins if pin.is_own})
        for each in changing
    }
    again = prober(project, questions=questions).probe([each.device for each in changing])
    answers = {probe.device: probe for probe in again}
    return [replace(each, probe=answers[each.device.hostname]) for each in changing]


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


def rings_for(fleet: Fleet, text: str) -> Sequence[Ring]:
    """The rings of one rollout: those that a person gave, or those of the project. Warns of names that nobody has."""
    rings = rings_of(text, fleet.project.rings) if text else fleet.project.rings
    names = {name for ring in rings for name in ring.devices}
    # A simulated fleet has the rings of the real one, and none of its laptops.
    found = names if fleet.project.chances or not names else {device.hostname for device in fleet.named(names)}
    for words in strangers(rings, hostnames=found, authorities=fleet.organisation.authorities):
        say(f"mvpc.toml: {words}", style=WARN, err=True)
    return rings


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

"""`mvpc software ask`: laptops say what they have, and whether it works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mvpc.cli.console import BAD, WARN, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import AuthorityOption, DeviceOption, RessortOption
from mvpc.cli.words import count
from mvpc.errors import InputError, NotFoundError
from mvpc.fleet import Fleet, Selection
from mvpc.model import Device, Probe, Reach
from mvpc.project import Project
from mvpc.software import Questions, question, service_questions


def ask(
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask laptops which versions they have, and whether chosen products work and services are reachable; store it."""
    from mvpc.store.write import Store  # noqa: PLC0415 - loads SQLAlchemy

    project = current_project()
    fleet = Fleet(project, on=today())
    chosen = fleet.select(Selection(ressort=ressort, authority=authority, devices=tuple(device or ())))
    laptops = fleet.askable(chosen)
    if not laptops:
        raise NotFoundError("none of these laptops can be asked", hint="mvpc plan says why of each")
    answers = list(_answers(project, laptops, {each.hostname: _questions(fleet, each) for each in laptops}))
    store = Store(project.database)
    store.record_probes(answers)
    store.record_software(answers)
    _tell(answers, left_out=len(chosen) - len(laptops), as_json=as_json)


def _questions(fleet: Fleet, device: Device) -> Questions:
    settings, catalogue = fleet.profile_of(device).settings, fleet.profiles.catalogue
    return Questions(software=question(device, settings, catalogue), services=service_questions(settings, catalogue))


def _answers(project: Project, laptops: Sequence[Device], questions: dict[str, Questions]) -> Iterator[Probe]:
    from mvpc.cli.laptops import prober  # noqa: PLC0415 - loads the rollout

    if project.chances:
        raise InputError("simulated laptops have no software", hint="Ask real ones, or those of mvpc lab up")
    yield from prober(project, questions=questions).probe(laptops)


def _complaints(answer: Probe) -> Iterator[tuple[str, str]]:
    """Products that do not work on a laptop and services that it does not reach, and why."""
    yield from ((name, words) for name, words in (answer.software.checks if answer.software else {}).items() if words)
    for each in answer.services or ():
        if not each.is_reachable:
            yield each.product, f"not reachable: {each.why}"


def _tell(answers: Sequence[Probe], *, left_out: int, as_json: bool) -> None:
    reached = Counter(each.reach for each in answers)
    failed = [
        (each.device, product, words)
        for each in sorted(answers, key=lambda each: each.device)
        for product, words in _complaints(each)
    ]
    silent = sorted((each.device, str(each.reach), each.detail) for each in answers if each.reach is not Reach.REACHED)
    if as_json:
        rows = [dict(zip(("device", "product", "error"), row, strict=True)) for row in failed]
        unanswered = [dict(zip(("device", "reach", "detail"), row, strict=True)) for row in silent]
        counts = {"asked": len(answers), "reach": reached, "left_out": left_out}
        print_json({**counts, "failed": rows, "silent": unanswered})
        return
    if failed:
        print_table(count(len(failed), "failure"), ("laptop", "product", "what it said"), failed)
    if silent:
        print_table(f"{count(len(silent), 'laptop')} without an answer", ("laptop", "reach", "why"), silent)
    style = BAD if failed else WARN if silent else ""
    answered = f"{count(reached[Reach.REACHED], 'laptop')} answered"
    say(f"{answered}, {len(silent)} did not, {left_out} cannot be asked", style=style)
    say("Next: mvpc software report")

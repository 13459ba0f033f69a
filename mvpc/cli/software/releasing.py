"""`mvpc software release`: write down which versions one ring proved, for the laptops of the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import typer
from pydantic import ValidationError

from mvpc.cli.console import OK, WARN, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.files import replace_file
from mvpc.cli.options import JsonOption
from mvpc.cli.words import count
from mvpc.errors import InputError, NotFoundError
from mvpc.fleet import Fleet, Selection
from mvpc.gates import Tally, missing_quorum, trip
from mvpc.model import Device, PlannedRing, Probe, Ring, Source
from mvpc.plan import Subject, is_proven
from mvpc.profiles import suggestion
from mvpc.project import Project
from mvpc.releases import FOLDER, Proved, ReleaseFile, Versions, release_text
from mvpc.software import Prover, Questions, SoftwareQuestion, proven_versions, question, wishes
from mvpc.strict import problems_of

_SHOWN = 3
"""So many failures are named."""

_HELD = tuple[str, str, str]
"""Operating system, product and package."""


def release(
    ring: Annotated[str, typer.Argument(help="The ring whose laptops shall get these versions, such as broad.")],
    name: Annotated[str, typer.Option("--name", help="What people call the release; today's date without it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Ask the ring before which versions of the chosen products it runs; write them down for RING, to be reviewed.

    The ring before must be verified as its gate in mvpc.toml wants it, and every product must work there.
    """
    fleet = Fleet(current_project(), on=today())
    fleet.project.require_real()
    before = _ring_before(fleet.project, ring)
    laptops = [each for each in fleet.select(Selection()) if fleet.ring_of(each) == before.name]
    subjects = _asked(fleet, fleet.askable(laptops), before)
    provers = _provers(fleet, subjects, before)
    versions, problems = proven_versions(provers, quorum_percent=before.gate.quorum_percent)
    if problems:
        raise InputError.of(problems)
    newest = max((state.rollout for each in subjects for state in each.recorded.values()), default=0)
    proved = Proved(ring=before.name, rollout=newest, laptops=len(provers), of=len(subjects))
    try:
        content = ReleaseFile(name=name or str(fleet.on), date=str(fleet.on), proved=proved, versions=versions)
    except ValidationError as error:
        file = Source(f"{FOLDER}/{ring}.yml", 1)
        raise InputError.of(problems_of(error, model=ReleaseFile, place=lambda _: file)) from None
    _write(fleet, ring, content, as_json=as_json)


def _ring_before(project: Project, name: str) -> Ring:
    """The nearest ring before this one whose laptops are always the same."""
    names = [ring.name for ring in project.rings]
    if name not in names:
        hint = suggestion(name, names) or f"Rings of mvpc.toml: {', '.join(names)}"
        raise NotFoundError(f"there is no ring {name}", hint=hint)
    for ring in reversed(project.rings[: names.index(name)]):
        if ring.devices or ring.authorities:
            return ring
    raise InputError(
        f"no ring before {name} names its laptops, and those that a share draws are others in every plan",
        where="mvpc.toml",
        hint='Name some: [[rollout.ring]] name = "pilot", with devices = [...] or authorities = [...]',
    )


def _asked(fleet: Fleet, laptops: Sequence[Device], ring: Ring) -> list[Subject]:
    from mvpc.cli.laptops import prober  # noqa: PLC0415 - loads the rollout
    from mvpc.store.write import Store  # noqa: PLC0415 - loads SQLAlchemy

    if not laptops:
        raise NotFoundError(f"no laptop of ring {ring.name} can be asked", hint="mvpc plan says why of each")
    subjects = fleet.subjects(laptops)
    questions = {each.hostname: Questions(software=_question(fleet, each)) for each in laptops}
    answers = {each.device: each for each in prober(fleet.project, questions=questions).probe(laptops)}
    store = Store(fleet.project.database)
    store.record_probes(list(answers.values()))
    store.record_software(list(answers.values()))
    return [replace(each, probe=answers[each.device.hostname]) for each in subjects]


def _question(fleet: Fleet, device: Device) -> SoftwareQuestion:
    return question(device, fleet.profile_of(device).settings, fleet.profiles.catalogue)


def _provers(fleet: Fleet, subjects: Sequence[Subject], ring: Ring) -> list[Prover]:
    """The laptops that prove something.

    Raises:
        InputError: too many products fail, or too few laptops are verified; the gate of the ring says how many.
    """
    failing = {each.device.hostname: words for each in subjects if (words := _complaint(each.probe))}
    proven = [each for each in subjects if each.device.hostname not in failing and is_proven(each, "software")]
    tally = Tally(
        ring=PlannedRing(name=ring.name, gate=ring.gate, devices=tuple(each.device.hostname for each in subjects)),
        failed=set(failing),
        verified=len(proven),
    )
    if reason := trip(tally) or missing_quorum(tally):
        words = "; ".join(f"{name}: {complaint}" for name, complaint in sorted(failing.items())[:_SHOWN])
        hint = f"See to these: {words}" if words else "Roll out to them first; mvpc plan says who differs"
        raise InputError(reason, hint=hint)
    return [_prover(fleet, each) for each in proven]


def _prover(fleet: Fleet, subject: Subject) -> Prover:
    settings, said = fleet.profile_of(subject.device).settings, subject.probe and subject.probe.software
    wanted = wishes(subject.device, settings, fleet.profiles.catalogue)
    return Prover(device=subject.device, wanted=wanted, packages=said.packages if said else ())


def _complaint(answer: Probe | None) -> str:
    """The first product that does not work on a laptop, and why."""
    checks = answer.software.checks if answer and answer.software else {}
    return next((f"{product} does not work: {words}" for product, words in checks.items() if words), "")


def _write(fleet: Fleet, ring: str, content: ReleaseFile, *, as_json: bool) -> None:
    """Put the release into its file, and say what it changes."""
    before = fleet.releases.get(ring)
    path = fleet.project.root / FOLDER / f"{ring}.yml"
    path.parent.mkdir(exist_ok=True)
    replace_file(path, release_text(ring, content))
    changes = list(_changes(_held(before.content.versions if before else {}), _held(content.versions)))
    free = _not_held(fleet, ring, content.versions)
    if as_json:
        rows = [dict(zip(("os", "product", "package", "old", "new"), row, strict=True)) for row in changes]
        print_json({"file": f"{FOLDER}/{ring}.yml", **content.model_dump(), "changes": rows, "not_held": free})
    else:
        _tell(ring, content, changes, free)


def _tell(ring: str, content: ReleaseFile, changes: Sequence[Sequence[str]], free: Mapping[str, int]) -> None:
    if changes:
        print_table("", ("system", "product", "package", "before", "now"), changes)
    for product, laptops in free.items():
        say(f"{product} is not held on {count(laptops, 'laptop')} of ring {ring}: it was not proved", style=WARN)
    proved = content.proved
    where = f" proved by {proved.laptops} of {count(proved.of, 'laptop')} of ring {proved.ring}" if proved else ""
    say(f"release {content.name} for ring {ring}: {count(len(_held(content.versions)), 'package')}{where}", style=OK)
    say(f"Next: review and commit {FOLDER}/{ring}.yml, then: mvpc plan")


def _held(versions: Versions) -> dict[_HELD, str]:
    return {
        (os, product, package): version
        for os, products in versions.items()
        for product, packages in products.items()
        for package, version in packages.items()
    }


def _changes(old: Mapping[_HELD, str], new: Mapping[_HELD, str]) -> Iterator[tuple[str, ...]]:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield (*key, old.get(key, ""), new.get(key, ""))


def _not_held(fleet: Fleet, ring: str, versions: Versions) -> dict[str, int]:
    """Product -> laptops of the ring that chose it and whose version nobody proved."""
    found: Counter[str] = Counter()
    for device in fleet.select(Selection()):
        if fleet.is_ours(device) and fleet.ring_of(device) == ring:
            wanted = wishes(device, fleet.profile_of(device).settings, fleet.profiles.catalogue)
            held = versions.get(device.os, {})
            free = {name: wish for name, wish in wanted.items() if wish.can_be_held and not wish.version}
            found.update(free.keys() - held.keys())
    return dict(sorted(found.items()))

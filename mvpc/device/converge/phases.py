"""All phases in their order, and how the components go through them, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from mvpc.device.converge.connections import connection_steps, key_steps
from mvpc.device.converge.files import (
    MAX_DIFF,
    all_file_steps,
    apt_file_steps,
    blocking_steps,
    file_steps,
    fingerprint,
    gone_file_steps,
)
from mvpc.device.converge.guard import Stake
from mvpc.device.converge.ledger import Entry
from mvpc.device.converge.machine import Machine, look
from mvpc.device.converge.packagelocks import await_package_locks
from mvpc.device.converge.packages import missing_packages, needless_packages, package_steps, transact_together
from mvpc.device.converge.refusing import refuse_bad_way_in
from mvpc.device.converge.resources import Connection, File, Package, Unit
from mvpc.device.converge.units import early_steps, gone_unit_steps, late_steps, unit_steps
from mvpc.device.converge.walk import Run, Walk
from mvpc.device.converge.wayin import BY_NETWORK_MANAGER
from mvpc.device.converge.words import Failure, Step, explain


class Phase(NamedTuple):
    """One part of a walk; taking its steps spoils what was observed before."""

    steps: Callable[[Walk], Iterator[Step]]
    spoils: tuple[str, ...] = ()
    together: Callable[[Sequence[Walk]], None] | None = None
    """What an apply does for several components at once, before the steps of each; those then have nothing to do."""


PHASES = (
    Phase(gone_unit_steps, ("units",)),
    Phase(blocking_steps),
    Phase(apt_file_steps),
    Phase(package_steps, ("packages", "units", "connections"), transact_together),
    Phase(key_steps),
    Phase(all_file_steps, ("units",)),
    Phase(gone_file_steps, ("units",)),
    Phase(early_steps, ("units", "connections")),
    Phase(connection_steps, ("connections",)),
    Phase(unit_steps, ("units",)),
    Phase(late_steps, ("units",)),
)

ROOM_MB = 200
"""Free on / and /var before packages or files are put there."""
BOOT_MB = 100
"""Free on /boot before packages are put anywhere; usually a small file system of its own."""
ROOM_FILES = 2000
"""The same in files: a small package has some, an office suite thousands."""


class Report:
    """What a walk tells about its component."""

    def __init__(self, name: str, digest: str = "", outcome: str = "unchanged", error: str = "") -> None:
        self.name, self.digest, self.outcome, self.error = name, digest, outcome, error
        self.changes: list[str] = []
        self.diff = ""


class Course(NamedTuple):
    """One component on its way through the phases. With an error it goes no further; the others do."""

    walk: Walk
    report: Report

    @contextmanager
    def failing_alone(self) -> Iterator[None]:
        """Let what goes wrong be the end of this component, and of no other."""
        try:
            yield
        except (Failure, OSError) as problem:
            self.report.error = explain(problem)
            self.report.outcome = problem.outcome if isinstance(problem, Failure) else Failure.outcome


def walk_through(walks: Sequence[Walk]) -> Iterator[Report]:
    """Take components through all phases, each phase for all of them before the next, and tell of each."""
    courses = [Course(walk, Report(walk.component.name)) for walk in walks]
    for course in courses:
        look_ahead(course)
    for phase in PHASES:
        take_phase(phase, [course for course in courses if not course.report.error])
    for course in courses:
        yield finish(course)
    if walks and walks[0].apply:
        count_down(walks[0].run)


def open_up(walk: Walk) -> Report:
    """Note that others begin to work on the component: until an apply says so, it is not finished. Raises OSError."""
    mark_unfinished(walk)
    return Report(walk.component.name)


def look_ahead(course: Course) -> None:
    """Look before the first step whether the component can be walked at all."""
    if course.walk.probe and not course.walk.before.digest:
        course.report.changes.append("the last apply did not finish")
    with course.failing_alone():
        preflight(course.walk)
    course.walk.refused = bool(course.report.error)


def finish(course: Course) -> Report:
    """Write the ledger, and sum up."""
    walk, report = course.walk, course.report
    if walk.apply and not report.error:
        with course.failing_alone():
            resources = (*walk.component.resources, *walk.spared)
            walk.run.ledger.put(report.name, entry_of(walk, resources, walk.component.digest))
    if walk.apply and report.error and not walk.refused:
        with suppress(OSError):  # then the ledger still says what it said before the run or before the failure
            mark_unfinished(walk)
    if not report.error:
        report.outcome = "changed" if report.changes else "unchanged"
    report.digest = walk.run.ledger.entry(report.name).digest
    return report


def preflight(walk: Walk) -> None:
    """Nothing begins that would be stopped half-way by a full disk or by somebody else who works on packages.

    Raises:
        Busy: the package system is in use.
        Failure: there is no room, or a file of the way in is known to be wrong. In all cases the ledger stays as it is.
    """
    if not walk.apply:
        return
    short = no_room(walk.machine)
    if short and takes_room(walk):
        raise Failure(short)
    short = no_room_to_boot(walk.machine)
    if short and missing_packages(walk):
        raise Failure(short)
    refuse_bad_way_in(walk)
    if missing_packages(walk) or needless_packages(walk):
        await_package_locks(walk.machine)


def no_room(machine: Machine) -> str:
    """What there is too little of, and where; empty when there is enough."""
    for place in ("/", "/var"):
        megabytes, files = machine.free(place)
        if megabytes < ROOM_MB:
            return f"{place}: only {megabytes} MB free, {ROOM_MB} needed"
        if files < ROOM_FILES:
            return f"{place}: only {files} files (inodes) free, {ROOM_FILES} needed"
    return ""


def no_room_to_boot(machine: Machine) -> str:
    """Too little room for the initramfs that many a package has made anew, since it is written beside the old one."""
    if look(machine.path("/boot")) is None:
        return ""
    megabytes, _ = machine.free("/boot")
    return f"/boot: only {megabytes} MB free, {BOOT_MB} needed: remove old kernels" if megabytes < BOOT_MB else ""


def takes_room(walk: Walk) -> bool:
    """Whether there are packages to install or files to write. What goes makes room."""
    coming = (file for file in walk.wanted_files() if file.present)
    return bool(missing_packages(walk)) or any(step for file in coming for step in file_steps(walk, file))


def take_phase(phase: Phase, courses: Sequence[Course]) -> None:
    """Find the steps of a phase for every component; an apply takes them, and the phase must find no more."""
    planned: list[tuple[Course, list[Step]]] = []
    for course in courses:
        with course.failing_alone():
            steps = list(phase.steps(course.walk))
            if steps:
                announce(course.walk, steps)
                planned.append((course, steps))
    if phase.together and planned and planned[0][0].walk.apply:
        phase.together([course.walk for course, _ in planned])
    for course, steps in planned:
        with course.failing_alone():
            take(phase, course, steps)


def announce(walk: Walk, steps: Sequence[Step]) -> None:
    """Remember what the steps will bring and whom they must notify, before the first of them."""
    if not walk.probe:
        walk.pending.update(dict.fromkeys(word for step in steps for word in step.notify))
    if walk.apply:
        walk.run.owned.update(step.takes for step in steps if step.takes)
        keep_the_way_back(walk.run, steps)
        mark_unfinished(walk)


def keep_the_way_back(run: Run, steps: Sequence[Step]) -> None:
    """Before the first step that may keep everybody out, keep what brings them in again."""
    at_stake = {place for walk in run.walks for places in walk.way_in for place in places}
    touched = {place for step in steps for place in (step.path, step.unit) if place in at_stake}
    if touched:
        run.guard.arm(stake_of(run), ledger_if_undone(run, run.walks))
        run.guard.touched |= touched


def count_down(run: Run) -> None:
    """The run is over; what it changed of the way in has to prove itself."""
    touched = [walk for walk in run.walks if any(run.guard.touched & {*places} for places in walk.way_in)]
    run.guard.count_down([walk.component.name for walk in touched], ledger_if_undone(run, touched))


def stake_of(run: Run) -> Stake:
    """What the run may change of the way in, and how things are before it does."""
    files = {path: file for walk in run.walks for path, file in walk.way_in[0].items()}
    units = sorted({name for walk in run.walks for name in walk.way_in[1]})
    known = run.seen.connections() if any(path.startswith(BY_NETWORK_MANAGER) for path in files) else None
    return Stake(
        components=tuple(walk.component.name for walk in run.walks),
        files=tuple(files),
        notify=tuple(dict.fromkeys(word for file in files.values() for word in file.notify)),
        units={name: run.seen.unit(name) for name in units},
        connections=None if known is None else tuple(each["uuid"] for each in known if each["state"] == "activated"),
    )


def ledger_if_undone(run: Run, walks: Iterable[Walk]) -> bytes:
    """What the ledger must say when files are taken back: these are not finished, and nothing is forgotten."""
    unfinished = {walk.component.name: entry_of(walk, as_before(walk)) for walk in walks}
    return run.ledger.text({**run.ledger.entries, **unfinished})


def as_before(walk: Walk) -> Iterable[Any]:
    """The resources that the component has once its files of the way in are taken back."""
    back = {each.identity: each for each in walk.before.resources if each.identity in walk.way_in[0]}
    return {**{each.identity: each for each in united(walk)}, **back}.values()


def take(phase: Phase, course: Course, steps: Sequence[Step]) -> None:
    """Take steps, or only tell of them."""
    walk, report = course.walk, course.report
    try:
        for step in steps:
            if walk.apply:
                step.act()
            report.changes.append(step.found if walk.probe else step.done)
            report.diff = (report.diff + step.diff)[:MAX_DIFF]
    finally:
        if walk.apply:
            walk.seen.forget(phase.spoils)
    left = [step.found for step in phase.steps(walk)] if walk.apply else []
    if left:
        raise Failure(f"still so after the change: {'; '.join(left)}")


def mark_unfinished(walk: Walk) -> None:
    """Remember what was there before or will be there: after a crash each of them may be."""
    walk.run.ledger.put(walk.component.name, entry_of(walk, united(walk)))


def united(walk: Walk) -> Iterable[Any]:
    """The resources that the component had, and those that it has."""
    return {each.identity: each for each in (*walk.before.resources, *walk.component.resources)}.values()


def entry_of(walk: Walk, resources: Iterable[Any], digest: str = "") -> Entry:
    """What the ledger shall know of the component; with its digest nothing is outstanding."""
    kept = tuple(remembered(walk.machine, each, walk.run.owned) for each in resources)
    return Entry(digest, kept, () if digest else tuple(walk.pending))


def remembered(machine: Machine, resource: Any, owned: Iterable[str]) -> Any:
    """A resource as the ledger keeps it: fingerprints instead of contents, and whether mvpc brought it."""
    if isinstance(resource, (Package, Unit)):
        return resource._replace(ours=resource.identity in owned)
    file = resource.file() if isinstance(resource, Connection) else resource
    bare = resource._replace(validate=()) if isinstance(resource, File) else resource
    return bare._replace(content="", sha256=fingerprint(machine, file))

"""Phases of units, and of the notifications that make services read what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mvpc.device.converge.machine import NOT_FOUND, Machine, read_text, run_well
from mvpc.device.converge.observed import UnitState
from mvpc.device.converge.resources import Unit
from mvpc.device.converge.walk import Walk
from mvpc.device.converge.words import Failure, Step, gist

UNIT_SECONDS = 1200
"""How long a unit may take to start: systemd itself gives up after 90 s, unless it is one that runs once and brings a
lot along, such as Flatpaks over a slow tunnel."""
EARLY = ("daemon-reload", "connections", "hostname", "dconf")
"""What units and NetworkManager must have heard before they are looked at."""


def gone_unit_steps(walk: Walk) -> Iterator[Step]:
    """Units that no component has any more, as long as their unit files are still there."""
    for unit in walk.gone(Unit):
        now = walk.seen.unit(unit.name)
        if unit.ours and unit.masked and now.masked:
            yield systemctl(walk, unit, "is masked", "unmasked", "unmask")
        elif unit.ours and unit.enabled and now.enabled:
            yield systemctl(walk, unit, "is enabled", "disabled", "disable", "--now")


def unit_steps(walk: Walk) -> Iterator[Step]:
    """Mask, unmask, enable, disable, start, stop."""
    for unit in walk.wanted(Unit):
        now = walk.seen.unit(unit.name)
        if unit.masked:
            if not now.masked or now.active:
                yield systemctl(walk, unit, "is not masked", "masked", "mask", "--now")
            continue
        if now.masked:
            yield systemctl(walk, unit, "is masked", "unmasked", "unmask")
        yield from boot_steps(walk, unit, now)
        yield from running_steps(walk, unit, now)


def boot_steps(walk: Walk, unit: Unit, now: UnitState) -> Iterator[Step]:
    """Whether it starts at boot. What a mask hides is set in any case."""
    if unit.enabled and not now.starts_at_boot:
        yield systemctl(walk, unit, "is disabled", "enabled", "enable")
    if not unit.enabled and (now.enabled or now.masked):
        yield systemctl(walk, unit, "is enabled", "disabled", "disable")


def running_steps(walk: Walk, unit: Unit, now: UnitState) -> Iterator[Step]:
    """Whether it runs now. A unit started here reads its new configuration by itself."""
    if unit.running and not now.settled:
        walk.started.add(unit.name)
        yield systemctl(walk, unit, "is stopped", "started", "start")
    if not unit.running and now.active:
        yield systemctl(walk, unit, "is running", "stopped", "stop")


def systemctl(walk: Walk, unit: Unit, found: str, done: str, *verb: str) -> Step:
    """The step that one systemctl command is."""
    act = partial(control, walk.machine, unit.name, *verb)
    takes = unit.identity if verb[0] in {"enable", "mask"} else ""
    return Step(f"{unit.identity} {found}", f"{unit.identity} {done}", act, takes=takes, unit=unit.name)


def early_steps(walk: Walk) -> Iterator[Step]:
    """Notifications that others build on."""
    for word in EARLY:
        if word in walk.pending:
            yield notification(walk, word)


def late_steps(walk: Walk) -> Iterator[Step]:
    """Reloads and restarts, each once, for units that run and did not start only now."""
    for word in walk.pending:
        verb, _, unit = word.partition(" ")
        superseded = verb == "reload" and f"restart {unit}" in walk.pending
        if word not in EARLY and not superseded and unit not in walk.started and walk.seen.unit(unit).active:
            yield notification(walk, word)


def notification(walk: Walk, word: str) -> Step:
    """The step that delivers one notification, or lets it wait until it can do no harm to this session."""

    def deliver() -> None:
        if walk.run.guard.postpones(word):
            walk.run.guard.later[word] = None
        else:
            notify(walk.machine, word)
        del walk.pending[word]

    return Step(f"outstanding: {word}", f"notified: {word}", deliver)


def notify(machine: Machine, word: str) -> None:
    """Carry out one notification."""
    verb, _, unit = word.partition(" ")
    if verb == "hostname":
        machine.set_hostname(read_text(machine.path("/etc/hostname")) or "localhost")
    elif verb == "daemon-reload":
        run_well(machine, "systemctl", "daemon-reload")
    elif verb == "dconf":
        if machine.run(["dconf", "update"]).code not in {0, NOT_FOUND}:
            raise Failure("dconf update failed")
    elif verb == "connections":
        if machine.run(["nmcli", "connection", "reload"]).code not in {0, 8, NOT_FOUND}:
            raise Failure("nmcli connection reload failed")
    else:
        command = {"reload": "try-reload-or-restart", "restart": "try-restart"}[verb]
        control(machine, unit, command)


def control(machine: Machine, unit: str, *verb: str) -> None:
    """One command to systemd; raises Failure with the last words of the unit itself, of which systemd says nothing."""
    try:
        run_well(machine, "systemctl", *verb, "--", unit, timeout=UNIT_SECONDS)
    except Failure as problem:
        machine.run(["journalctl", "--sync"])  # what it has just said may not be written yet
        last = ("--quiet", "--since=-30min", "--lines=1", "--output=cat")
        said = machine.run(["journalctl", *last, f"_SYSTEMD_UNIT={unit}"]).out
        raise Failure(f"{unit}: {gist(said)}" if said.strip() else str(problem)) from None

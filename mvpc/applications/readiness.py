"""Which workplaces cannot move to another operating system, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from mvpc.applications.application import Application
from mvpc.model import Device, LifeCycle

_GONE = frozenset({LifeCycle.RETURNED, LifeCycle.ERASED, LifeCycle.RETIRED, LifeCycle.LOST})


class Obstacle(StrEnum):
    """Why an application keeps a workplace from moving."""

    NOT_SUPPORTED = "not supported"
    UNTESTED = "untested"
    OTHER_VERSION = "another version tested"
    TOO_OLD = "test too old"


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocked:
    """One application that keeps one workplace from moving."""

    device: str
    authority: str
    ressort: str
    application: str
    obstacle: Obstacle
    detail: str
    moved: bool
    """Whether the workplace runs on the system already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """Every selected laptop is counted once, in `ready`, `held`, `moved` or `left_out`."""

    system: str
    ready: tuple[Device, ...]
    """They can move: everything that they need is tested."""
    held: tuple[Device, ...]
    """They cannot."""
    moved: tuple[Device, ...]
    """They run on it already; what they need may be blocked all the same."""
    left_out: int
    """Laptops that stand at no workplace: returned, erased, retired, lost."""
    blocked: tuple[Blocked, ...]


def readiness(
    devices: Mapping[Device, str],
    applications: Mapping[str, Application],
    *,
    system: str,
    on: date,
    max_age: timedelta,
) -> Readiness:
    """Look at every workplace and every application that it needs.

    Args:
        devices: laptop -> code of its ressort on the day.
        applications: all of them, by the name of the file.
        system: where workplaces shall move to, `debian-13`.
        on: the day.
        max_age: a test that is older does not count any more.
    """
    obstacles = {name: obstacle(each, system, on=on, max_age=max_age) for name, each in applications.items()}
    present = {device: ressort for device, ressort in devices.items() if device.state not in _GONE}
    blocked = tuple(
        _blocked(device, ressort, name, found, system)
        for device, ressort in present.items()
        for name in needed(device, ressort, applications)
        if (found := obstacles[name])
    )
    stuck = {each.device for each in blocked}
    waiting = [device for device in present if device.os != system]
    return Readiness(
        system=system,
        ready=tuple(device for device in waiting if device.hostname not in stuck),
        held=tuple(device for device in waiting if device.hostname in stuck),
        moved=tuple(device for device in present if device.os == system),
        left_out=len(devices) - len(present),
        blocked=blocked,
    )


def needed(device: Device, ressort: str, applications: Mapping[str, Application]) -> Iterator[str]:
    """Applications that a workplace needs."""
    for name, application in applications.items():
        need = application.needed_by
        if need.workplaces and device.workplace not in need.workplaces:
            continue
        if ressort in need.ressorts or device.authority in need.authorities:
            yield name


def obstacle(application: Application, system: str, *, on: date, max_age: timedelta) -> tuple[Obstacle, str] | None:
    """Why an application does not count as working on a system, with the details; None when it does."""
    support = application.systems.get(system)
    if support is None:
        return Obstacle.NOT_SUPPORTED, f"only {', '.join(application.systems)}"
    if support.version is None or support.tested is None:
        return Obstacle.UNTESTED, f"nobody has tested it on {system}"
    if application.version not in {None, support.version}:
        return Obstacle.OTHER_VERSION, f"{support.version} was tested, {application.version} is in use"
    age = on - date.fromisoformat(support.tested)
    if age > max_age:
        return Obstacle.TOO_OLD, f"{support.version} was tested on {support.tested}, {age.days} days ago"
    return None


def _blocked(device: Device, ressort: str, name: str, found: tuple[Obstacle, str], system: str) -> Blocked:
    return Blocked(
        device=device.hostname,
        authority=device.authority,
        ressort=ressort,
        application=name,
        obstacle=found[0],
        detail=found[1],
        moved=device.os == system,
    )

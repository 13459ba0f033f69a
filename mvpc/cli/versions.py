"""Why a laptop has the versions it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby

from mvpc.fleet import Fleet
from mvpc.model import Device, Origin
from mvpc.plan import Subject
from mvpc.profiles import covers
from mvpc.releases import FOLDER, Release
from mvpc.settings import Profile, Value
from mvpc.software import Pin, pins

_STALE_DAYS = 14
"""Debian's security updates of browsers and mail programs come at least every four weeks."""


def version_lines(fleet: Fleet, subject: Subject) -> Iterator[str]:
    """Which ring's release a laptop follows, and every product that is held at a version, with its line."""
    ring, release = fleet.ring_of(subject.device), fleet.release_of(subject.device)
    yield f"for versions it counts as ring {ring}: {_of_release(ring, release)}"
    for product, found in groupby(sorted(subject.pins, key=lambda pin: pin.product), key=lambda pin: pin.product):
        held = list(found)
        versions = ", ".join(dict.fromkeys(pin.version for pin in held))
        where = subject.sources.get(held[0].path, "")
        yield f"  {product} {versions}  {where}{'' if held[0].source else ' (pinned by its profile)'}"


def released(fleet: Fleet, device: Device, profile: Profile, path: str = "") -> tuple[Value, ...]:
    """Versions that a laptop has from its ring's release, as if they were settings: `release.PRODUCT.PACKAGE`.

    With a path only those that it covers; they belong to `software.PRODUCT.version` as well.
    """
    held = pins(device, profile.settings, fleet.profiles.catalogue, fleet.release_of(device))
    return tuple(
        Value(pin.path, pin.version, Origin(pin.version, pin.source), None)
        for pin in held
        if pin.source and (not path or _is_meant(pin, path))
    )


def _is_meant(pin: Pin, path: str) -> bool:
    return covers(path, pin.path) or covers(path, f"software.{pin.product}.version")


def stale_lines(fleet: Fleet, subjects: Iterable[Subject]) -> Iterator[str]:
    """Releases that are so old that their laptops lack security updates by now."""
    followed = {release for each in subjects if each.pins and (release := fleet.release_of(each.device))}
    for release in sorted(followed, key=lambda each: each.ring):
        age = (fleet.on - date.fromisoformat(release.content.date)).days
        if age > _STALE_DAYS:
            name = release.content.name
            yield f"release {name} of ring {release.ring} is {age} days old, and security updates of its packages wait:"
            yield f"  mvpc software release {release.ring}"


def _of_release(ring: str, release: Release | None) -> str:
    if release is None:
        return f"without {FOLDER}/{ring}.yml it has what its mirror has"
    proved = release.content.proved
    where = f", proved by ring {proved.ring} after rollout {proved.rollout}" if proved else ", written by hand"
    return f"release {release.content.name} of {release.content.date}{where}"

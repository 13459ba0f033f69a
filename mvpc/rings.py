"""Put the devices of a plan into rings: a stable order that is salted, spread, and can be explained. Pure.

Within each group of the same authority and model, devices are ordered by a salted hash and spaced evenly over 0 to
100 %. So every authority and model is early in the same share, and with another salt other devices are first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from mvpc.model import PlannedRing, Ring

DEFAULT_RINGS = (
    Ring(name="pilot", percent=1),
    Ring(name="early", percent=10),
    Ring(name="broad", percent=100),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A device as far as rings care for it."""

    hostname: str
    authority: str
    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """The rings of a plan, and for each device why it is where it is."""

    rings: tuple[PlannedRing, ...]
    why: dict[str, str]


def place(members: Sequence[Member], rings: Sequence[Ring], *, salt: str) -> Placement:
    """Every device in exactly one ring; rings that would be empty are left out.

    Args:
        members: the devices that change.
        rings: in order, with rising percent; the last one must take 100.
        salt: the same salt gives the same order.
    """
    named = {member.hostname: found for member in members if (found := _named(member, rings))}
    order = _order([member for member in members if member.hostname not in named], salt)
    why = {hostname: reason for hostname, (_, reason) in named.items()}
    planned = []
    for ring, slots in _slices(order, rings):
        here = [hostname for hostname, (name, _) in named.items() if name == ring.name]
        for position, hostname in slots:
            here.append(hostname)
            why[hostname] = f"{ring.name}: at {position:.1f} % of the order with salt {salt}, up to {ring.percent:g} %"
        planned.append(PlannedRing(name=ring.name, gate=ring.gate, devices=tuple(here)))
    return Placement(rings=tuple(ring for ring in planned if ring.devices), why=why)


def standing(hostname: str, authority: str, rings: Sequence[Ring]) -> str:
    """The ring whose release a laptop follows: the one that names it or its authority, else the last one.

    Shares are drawn anew for each plan, so no version may hang on them: laptops would go up and down.
    """
    named = _named(Member(hostname=hostname, authority=authority, model=""), rings)
    return named[0] if named else rings[-1].name


def join_last(placement: Placement, hostnames: Sequence[str], ring: Ring, *, why: str) -> Placement:
    """The same rings with more devices at the end of `ring`, which is the last one of all."""
    if not hostnames:
        return placement
    *before, last = placement.rings or (None,)
    if last is None or last.name != ring.name:
        before, last = list(placement.rings), PlannedRing(name=ring.name, gate=ring.gate, devices=())
    joined = replace(last, devices=(*last.devices, *hostnames))
    return Placement(rings=(*before, joined), why=placement.why | dict.fromkeys(hostnames, f"{ring.name}: {why}"))


def share(*words: str) -> float:
    """A number from 0 up to 1 that only depends on the words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _named(member: Member, rings: Sequence[Ring]) -> tuple[str, str] | None:
    """The first ring that names the device or its authority."""
    for ring in rings:
        if member.hostname in ring.devices:
            return ring.name, f"{ring.name}: named in mvpc.toml"
        if member.authority in ring.authorities:
            return ring.name, f"{ring.name}: its authority {member.authority} is named in mvpc.toml"
    return None


def _order(members: Sequence[Member], salt: str) -> list[tuple[float, str]]:
    """Position in percent and hostname, in ascending order."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for member in members:
        groups[member.authority, member.model].append(member.hostname)
    placed = []
    for group, hostnames in groups.items():
        offset = share(salt, *group)
        ranked = sorted(hostnames, key=lambda name: share(salt, name))
        placed += [((rank + offset) / len(ranked) * 100, name) for rank, name in enumerate(ranked)]
    return sorted(placed)


def _slices(
    order: Sequence[tuple[float, str]], rings: Sequence[Ring]
) -> list[tuple[Ring, Sequence[tuple[float, str]]]]:
    """Cut the order at the rings' shares; rounding up, so that the first ring is never empty."""
    ends = [0, *(min(len(order), ceil(len(order) * ring.percent / 100)) for ring in rings)]
    return [(ring, order[begin:end]) for ring, (begin, end) in zip(rings, pairwise(ends), strict=True)]

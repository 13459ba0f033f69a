from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from mvpc.errors import InputError
from mvpc.model import Gate, Ring
from mvpc.ringconfig import rings_of, strangers
from mvpc.rings import DEFAULT_RINGS, Member, Placement, place


def fleet(number: int) -> list[Member]:
    """Laptops of three authorities and two models, in uneven numbers."""
    authorities = ["fa-schwerin"] * 7 + ["zdmv"] * 2 + ["lagus"]
    return [
        Member(hostname=f"nb-{each:05}", authority=authorities[each % 10], model=("T14", "L14")[each % 2])
        for each in range(number)
    ]


def sizes(placement: Placement) -> dict[str, int]:
    return {ring.name: len(ring.devices) for ring in placement.rings}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, {"pilot": 1}),
        (3, {"pilot": 1, "broad": 2}),
        (100, {"pilot": 1, "early": 9, "broad": 90}),
        (15_000, {"pilot": 150, "early": 1350, "broad": 13_500}),
    ],
)
def test_rings_have_their_shares_and_the_first_is_never_empty(number: int, expected: dict[str, int]):
    assert sizes(place(fleet(number), DEFAULT_RINGS, salt="a")) == expected


def test_every_device_is_in_exactly_one_ring_and_knows_why():
    members = fleet(1000)
    placement = place(members, DEFAULT_RINGS, salt="a")
    placed = [name for ring in placement.rings for name in ring.devices]
    assert sorted(placed) == sorted(member.hostname for member in members)
    assert placement.why.keys() == set(placed)
    assert placement.why[placement.rings[0].devices[0]].startswith("pilot: at 0.")


def test_the_same_salt_gives_the_same_rings_and_another_salt_other_pilots():
    members = fleet(1000)
    assert place(members, DEFAULT_RINGS, salt="a") == place(list(reversed(members)), DEFAULT_RINGS, salt="a")
    first, second = (set(place(members, DEFAULT_RINGS, salt=salt).rings[0].devices) for salt in "ab")
    assert len(first & second) < len(first)


def test_each_authority_and_model_is_early_in_its_own_share():
    members = {member.hostname: member for member in fleet(10_000)}
    early = place(list(members.values()), DEFAULT_RINGS, salt="a").rings[1].devices
    counts = Counter((members[name].authority, members[name].model) for name in early)
    everyone = Counter((member.authority, member.model) for member in members.values())
    assert all(abs(counts[group] / number - 0.09) < 0.01 for group, number in everyone.items())


def test_named_devices_and_authorities_are_always_in_their_ring():
    rings = (
        Ring(name="pilot", percent=1, devices=("nb-00003",), authorities=("lagus",)),
        Ring(name="broad", percent=100),
    )
    placement = place(fleet(20), rings, salt="a")
    assert {"nb-00003", "nb-00009", "nb-00019"} <= set(placement.rings[0].devices)
    assert placement.why["nb-00003"] == "pilot: named in mvpc.toml"
    assert placement.why["nb-00019"] == "pilot: its authority lagus is named in mvpc.toml"


def test_what_a_ring_names_and_nobody_has_is_said():
    pilot = Ring(name="pilot", percent=1, devices=("nb-1", "nb-l"), authorities=("zdmv", "zdvm"))
    assert list(strangers([pilot], hostnames={"nb-1"}, authorities={"zdmv"})) == [
        "ring pilot names device nb-l, which is not known",
        "ring pilot names authority zdvm, which is not known",
    ]


# --- rings of one rollout --------------------------------------------------------------------


def test_a_rollout_can_have_shares_of_its_own_and_keeps_the_gates_of_the_project():
    strict = Ring(name="pilot", percent=1, authorities=("zdmv",), gate=Gate(max_failed=0))
    known = [strict, Ring(name="early", percent=10), Ring(name="broad", percent=100)]
    pilot, broad = rings_of("pilot=5, broad=100", known)
    assert pilot == replace(strict, percent=5)
    assert broad == Ring(name="broad", percent=100)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pilot", "'pilot' is no ring"),
        ("=5,broad=100", "'=5' is no ring"),
        ("pilot=-1,broad=100", "'pilot=-1' is no ring"),
        ("pliot=5,broad=100", "ring 'pliot' is not known. Known: pilot, early, broad."),
        ("pilot=5", "must rise from ring to ring and end with 100"),
        ("pilot=50,early=10,broad=100", "must rise from ring to ring and end with 100"),
        ("pilot=5,pilot=100", "two rings have the same name"),
    ],
)
def test_shares_that_make_no_rings_are_refused(text: str, said: str):
    with pytest.raises(InputError, match=re.escape(said)):
        rings_of(text, DEFAULT_RINGS)

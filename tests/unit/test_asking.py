"""Laptops are asked while profiles are compiled; when those are wrong, nobody new is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Event

import pytest

from mvpc.cli.laptops import asking
from mvpc.errors import InputError, MvpcError
from mvpc.model import Device, Probe
from mvpc.testing import a_device, a_probe


@dataclass
class Fleet:
    """Asks laptops once it is let, and says when it has begun."""

    go_on: Event = field(default_factory=Event)
    begun: Event = field(default_factory=Event)

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        self.begun.set()
        assert self.go_on.wait(60)
        for device in devices:
            yield a_probe(device.hostname)


class EndlessFleet:
    """Asks one laptop after the other without end."""

    def __init__(self) -> None:
        self.begun = Event()

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        for number in count():
            self.begun.set()
            yield a_probe(f"nb-{number}")


class NoKey:
    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        raise MvpcError("the SSH key of this controller cannot be used")


def test_laptops_are_asked_while_something_else_is_done():
    fleet = Fleet()
    with asking(fleet, [a_device("nb-1"), a_device("nb-2")]) as answers:
        assert fleet.begun.wait(60)
        fleet.go_on.set()
        assert list(answers()) == ["nb-1", "nb-2"]


def test_when_that_fails_nobody_new_is_asked():
    fleet = EndlessFleet()
    with pytest.raises(InputError, match="the profile is wrong"), asking(fleet, []):
        assert fleet.begun.wait(60)
        raise InputError("the profile is wrong")


def test_what_keeps_mvpc_from_asking_is_raised():
    with pytest.raises(MvpcError, match="the SSH key"), asking(NoKey(), []) as answers:
        answers()

"""TCP connections to many laptops at once, on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mvpc.ssh import calls as under_test
from mvpc.ssh.calls import Calls
from mvpc.testing import a_device


@pytest.fixture
def awake() -> Iterator[int]:
    """A port on loopback that answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[int]:
    """A port on loopback that says nothing at all: the queue of its listener is full (listen(2))."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = int(server.getsockname()[1])
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        yield port
        for filler in fillers:
            filler.close()


def told(calls: Calls) -> dict[str, str]:
    """Everything that `calls` still has to tell."""
    found: dict[str, str] = {}
    while calls.pending:
        for device, reached in calls.settled():
            found[device.hostname] = str(reached.strerror) if isinstance(reached, OSError) else "connected"
            if not isinstance(reached, OSError):
                assert reached.getblocking()
                reached.close()
    return found


def open_files() -> int:
    """How many file descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_hundred_laptops_are_connected_side_by_side(awake: int):
    with closing(Calls(awake)) as calls:
        names = [f"nb-{number:06}" for number in range(100)]
        assert all(calls.start(a_device(name, address="127.0.0.1")) for name in names)
        assert told(calls) == dict.fromkeys(names, "connected")


def test_a_laptop_that_is_off_is_told_with_the_reason():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with closing(Calls(port)) as calls:
        assert calls.start(a_device(address="127.0.0.1"))
        assert told(calls) == {"nb-000123": "Connection refused"}


def test_silent_laptops_cost_one_time_out_in_all(silent: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(under_test, "CONNECT_SECONDS", 0.3)
    began = time.monotonic()
    with closing(Calls(silent)) as calls:
        names = [f"nb-{number:06}" for number in range(200)]
        for name in names:
            calls.start(a_device(name, address="127.0.0.1"))
        assert told(calls) == dict.fromkeys(names, "Connection timed out")
    assert time.monotonic() - began < 20  # one after the other would take a minute


def test_a_laptop_with_a_name_for_an_address_is_left_to_somebody_who_can_wait(awake: int):
    with closing(Calls(awake)) as calls:
        assert not calls.start(a_device(address="nb-000123.mv.example"))
        assert not calls.start(a_device(address=""))
        assert calls.pending == 0


def test_an_address_that_cannot_be_reached_at_all_is_told_like_any_other(awake: int):
    with closing(Calls(awake)) as calls:
        assert calls.start(a_device(address="255.255.255.255"))
        assert list(told(calls)) == ["nb-000123"]


def test_waiting_ends_when_somebody_rings(awake: int):
    with closing(Calls(awake)) as calls:
        calls.wake()
        assert list(calls.settled()) == []


def test_what_is_in_the_making_is_given_up_at_the_end(silent: int):
    before = open_files()
    calls = Calls(silent)
    calls.start(a_device(address="127.0.0.1"))
    assert calls.pending == 1
    assert open_files() > before
    calls.close()
    assert open_files() == before

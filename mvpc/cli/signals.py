"""Signals: whatever mvpc is doing comes to an end in good order, with the exit code that shells expect.

Usually a signal ends a command at once. Whatever touches laptops is `patient`: the first signal is only noted, and
the work stops at the next point at which nothing is in flight. A second one ends it at once, which is safe as well:
laptops finish by themselves what they have begun.
"""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TWICE = 1.0
"""Seconds within which a repeated signal is the same one: timeout(1) and systemd send more than one."""
_NOTED = (
    b"\nmvpc: %b: laptops that are being worked on finish, nothing new begins. Once more ends mvpc at once; "
    b"they still finish by themselves\n"
)


class Interrupted(KeyboardInterrupt):
    """A signal came."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(f"interrupted by {signal.Signals(number).name}")


@dataclass(slots=True)
class _Heard:
    """What has come so far. Signals belong to the whole process, so there is one of these."""

    number: int = 0
    at: float = 0.0
    patient: bool = False
    shown: bool = False
    """Whether a view shows that one came, and a line of text would only tear it."""


_heard = _Heard()


def listen() -> None:
    """Let signals raise `Interrupted` from now on. One that is ignored, as under nohup(1), stays ignored."""
    for number in _HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _hear)


@contextmanager
def patience() -> Iterator[None]:
    """Within, the first signal is only noted; the work asks `reason` whether it should stop."""
    _heard.patient = True
    try:
        yield
    finally:
        _heard.patient = False


@contextmanager
def shown_by_view() -> Iterator[None]:
    """Within, nothing is written when a signal is noted: a view asks `reason` and shows it."""
    _heard.shown = True
    try:
        yield
    finally:
        _heard.shown = False


def reason() -> str:
    """Why nothing new may be begun; empty as long as no signal has come."""
    return str(Interrupted(_heard.number)) if _heard.number else ""


def exit_code() -> int:
    """Of a command that was stopped by the signal that came; 0 when none came."""
    return Interrupted(_heard.number).exit_code if _heard.number else 0


@contextmanager
def despite_lost_output() -> Iterator[None]:
    """Within, text is shown. When nobody reads it any more, the work stops as after a signal, in good order."""
    try:
        yield
    except OSError:
        _write_into_nothing(1)
        _heard.number = _heard.number or signal.SIGPIPE
    except SystemExit:  # what Rich makes of it, after writing into nothing by itself (rich.console.Console)
        _heard.number = _heard.number or signal.SIGPIPE


def _hear(number: int, frame: object) -> None:  # noqa: ARG001 - the signature is the interpreter's
    if number == signal.SIGHUP:
        for descriptor in filter(_is_hung_up, (1, 2)):
            _write_into_nothing(descriptor)
    again, now = _heard.number != 0, time.monotonic()
    if again and (number == signal.SIGHUP or now - _heard.at < _TWICE):
        return
    _heard.number, _heard.at = _heard.number or number, now
    if again or not _heard.patient:
        raise Interrupted(number)
    if _heard.shown:
        return
    with suppress(OSError):  # not print(), which may be the very thing that was interrupted
        os.write(2, _NOTED % signal.Signals(number).name.encode())


def _is_hung_up(descriptor: int) -> bool:
    """Whether it is a terminal that was closed."""
    try:
        os.ttyname(descriptor)
    except OSError as error:
        return error.errno == errno.EIO
    return False


def _write_into_nothing(descriptor: int) -> None:
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)

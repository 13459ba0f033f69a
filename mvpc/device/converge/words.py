"""Words that all parts use: what a step is, how a run or a component fails, and how that is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

FORMAT = 1
"""Of requests, answers and the ledger."""
MAX_WORDS = 400  # characters of one change or error


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """The request cannot be carried out at all; nothing was touched."""


class Failure(Exception):  # noqa: N818 - the same
    """A component cannot be finished."""

    outcome = "failed"


class Busy(Failure):
    """It cannot be finished now, since somebody else is at work; later it can."""

    outcome = "deferred"


class NeedsRepair(Failure):
    """It cannot be finished before a person has mended the laptop."""

    outcome = "needs_repair"


class Step(NamedTuple):
    """One difference, and the way to mend it. Only an apply calls `act`."""

    found: str
    """The difference, as a probe tells it: `file /etc/x differs (mode)`."""
    done: str
    """What mends it, as check and apply tell it: `file /etc/x updated (mode)`."""
    act: Callable[[], object]
    notify: tuple[str, ...] = ()
    takes: str = ""
    """Identity of a resource that is there because of mvpc from now on."""
    diff: str = ""
    path: str = ""
    """The file that it changes, if it is one."""
    unit: str = ""
    """The unit that it changes, if it is one."""


def gist(err: str, out: str = "") -> str:
    """The first useful lines of what a command said; apt passes on what dpkg says on its own standard output."""
    said = [[line.strip() for line in text.splitlines() if line.strip()] for text in (out, err)]
    telling = [line for lines in said for line in telling_lines(lines)]
    return "; ".join(telling or said[1] or said[0])[:MAX_WORDS]


def telling_lines(lines: Sequence[str]) -> Iterator[str]:
    """Lines that name an error; dpkg gives its reason in the line below."""
    for before, line in zip(("", *lines), lines):  # noqa: B905 - `strict` is younger than laptops
        if line.startswith(("E:", "dpkg: error", "Error: ")) or before.startswith("dpkg: error"):
            yield line


def explain(problem: Exception) -> str:
    """An error in words, without the place in this program."""
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return str(problem)

"""Words that all parts use: what a step is, how a run or a component fails, and how that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FORMAT = 1
"""Of requests, answers and the ledger."""
MAX_WORDS = 400  # characters of one change or error


class Refused(Exception):  # noqa: N818 - it reads as what happened
    """The request cannot be carried out at all; nothing was touched."""


class Failure(Exception):  # noqa: N818 - the same
    """A component cannot be finished."""


@dataclass(frozen=True)
class Step:
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


def gist(text: str) -> str:
    """The first useful lines of what a command said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("E:", "dpkg: error", "Error"))]
    return "; ".join(telling or lines)[:MAX_WORDS]


def explain(problem: Exception) -> str:
    """An error in words, without the place in this program."""
    if isinstance(problem, OSError) and problem.strerror:
        return f"{problem.filename}: {problem.strerror}" if problem.filename else problem.strerror
    return str(problem)

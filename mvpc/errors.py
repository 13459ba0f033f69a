"""Every error that mvpc shows to a person.

    MvpcError                   exit 1  something mvpc needs is missing or broken
    ├── InputError              exit 2  what a person wrote is wrong (carries every problem at once)
    │   └── NotFoundError       exit 2  a name that matches nothing, or more than one thing
    ├── SecretError             exit 2  a secret reference that cannot be resolved
    ├── LabError                exit 1  a disposable laptop or its image could not be made
    └── RolloutError            exit 1  a rollout could not start or could not be carried on
        └── LockedError         exit 1  somebody else is rolling out to one of the laptops

Exit codes of the command line: 0 done · 1 failed · 2 bad input · 3 done, but devices failed ·
4 no device could be reached · 5 a rollout came to rest before its end · 6 its sample was not unchanged ·
128 + n interrupted by signal n.

A message says what is wrong; `where` says the place (file:line, row and column, device) and
`hint` the next step. None of the three ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, as a person can act on it, written as `where: what. hint`."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        step = f" {_sentence(self.hint)}" if self.hint else ""
        return f"{place}{_sentence(self.what)}{step}"


def _sentence(text: str) -> str:
    """The text with a full stop, unless it is a question."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


class MvpcError(Exception):
    """Something mvpc needs is missing or broken."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(where, what, hint),)
        super().__init__(str(self.problems[0]))


class InputError(MvpcError):
    """What a person wrote is wrong. Carries every problem found, not only the first."""

    exit_code = 2

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> InputError:
        """One error for many problems, in the given order."""
        found = tuple(problems)
        error = cls(found[0].what, where=found[0].where, hint=found[0].hint)
        error.problems = found
        return error


class NotFoundError(InputError):
    """A name that matches nothing, or more than one thing."""


class SecretError(MvpcError):
    """A secret reference that cannot be resolved. Names the reference, never the secret."""

    exit_code = 2


class LabError(MvpcError):
    """A disposable laptop or its image could not be made."""


class RolloutError(MvpcError):
    """A rollout could not start or could not be carried on."""


class LockedError(RolloutError):
    """Somebody else is rolling out to one of the laptops."""

"""How simulated laptops behave: `simulated.toml`. Where it lies beside `mvpc.toml`, no laptop is real."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mvpc.errors import InputError, Problem

MARKER = "simulated.toml"

_PERCENT = ("failing", "away", "hanging", "slow")

_HEAD = """\
# Marks a simulated fleet: no laptop of this folder is real, and none is ever called.
# Every value may be changed between two commands: with away = 0, for example, all laptops come back.

"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """What simulated laptops do; the same seed and the same hour give the same behaviour."""

    seed: int = 1
    failing: float = 0.5
    """Percent of laptops on which a component fails; anew in each rollout."""
    away: float = 20
    """Percent of laptops that do not answer, at any moment."""
    hanging: float = 1
    """Percent of laptops that never come to an end and are given up."""
    slow: float = 5
    """Percent of laptops that need ten times as long as others."""
    away_seconds: float = 300
    """How long a laptop stays away or at hand before its dice are thrown again."""
    component_seconds: float = 0.005
    """How long a component takes on a laptop; one that hangs is given up after a hundred times as long."""


def read_chances(root: Path) -> Chances | None:
    """How the laptops of a project folder behave; None when they are real.

    Raises:
        InputError: with every problem of the file.
    """
    path = root / MARKER
    if not path.is_file():
        return None
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not valid TOML ({error})", where=MARKER) from error
    if problems := list(_problems(values)):
        raise InputError.of(problems)
    return Chances(**values)


def chances_text(chances: Chances) -> str:
    """The file for these chances."""
    return _HEAD + "".join(f"{name} = {value}\n" for name, value in asdict(chances).items())


def _problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    known = {field.name for field in fields(Chances)}
    for name, value in values.items():
        if name not in known:
            yield Problem(MARKER, f"{name} is not known", f"Known: {', '.join(sorted(known))}")
        elif type(value) is not int and (type(value) is not float or name == "seed"):
            yield Problem(MARKER, f"{name} must be a number", "A whole one" if name == "seed" else "")
        elif name in _PERCENT and not 0 <= value <= 100:
            yield Problem(MARKER, f"{name} is a share in percent, from 0 to 100")
        elif name == "away_seconds" and value <= 0:
            yield Problem(MARKER, f"{name} must be above 0")
        elif value < 0:
            yield Problem(MARKER, f"{name} must not be negative")

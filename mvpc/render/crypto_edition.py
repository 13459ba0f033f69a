"""Editions of crypto settings. They are data files beside this module, so that the next edition needs no code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "crypto"


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """The algorithms of one edition."""

    title: str
    host_keys: tuple[str, ...]
    """Types of SSH host keys that laptops offer."""
    sshd: Mapping[str, str]
    """Option of sshd_config(5) -> value."""


@cache
def edition(name: str) -> Edition:
    """One edition by its name; raises KeyError when there is no such file."""
    path = _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise KeyError(name)
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return Edition(title=data["title"], host_keys=tuple(data["host_keys"]), sshd=data["sshd"])


def editions() -> tuple[str, ...]:
    """Names of all editions."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))

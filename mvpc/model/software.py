"""What laptops say about their software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class InstalledPackage:
    """A package that is completely installed. A laptop may have one for two architectures."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareAnswer:
    """What a laptop said about its software. Texts are as hostile as the laptop."""

    packages: tuple[InstalledPackage, ...]
    """Those that it was asked about and has."""
    checks: Mapping[str, str]
    """Product -> why it does not work, in one line; empty when all of its checks succeeded."""

"""What a laptop is asked about its software, and how its answer is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mvpc.model import InstalledFlatpak, InstalledPackage, SoftwareAnswer
from mvpc.text import safe

if TYPE_CHECKING:
    from mvpc.software import SoftwareQuestion  # loads pydantic

_MOST_PACKAGES = 20_000
_MOST_FLATPAKS = 1_000
_VERSION_LIMIT = 60
"""Characters of a Flatpak's version, which its makers write as they like."""
_LIMIT = 400
"""Characters of one complaint; the device program cuts there."""
_NAME = r"[a-z0-9][a-z0-9+.-]{0,200}"
_SHAPES = tuple(map(re.compile, (_NAME, r"[A-Za-z0-9.+:~-]{1,200}", r"[a-z0-9-]{1,40}", _NAME)))
"""Of a package's name, version, architecture and source (deb-control(5), deb-version(7))."""
_WORD = r"[A-Za-z0-9._+-]{1,255}"
_FLATPAK = tuple(map(re.compile, (_WORD, r"[0-9a-f]{6,64}", _WORD, _WORD, _WORD)))
"""Of a Flatpak's name, commit, architecture, branch and remote (flatpak-list(1))."""


def software_request(question: SoftwareQuestion) -> dict[str, Any]:
    """The field `software` of a request."""
    checks = [
        {"product": name, **each.model_dump(mode="json"), "output": each.output or ""}
        for name, commands in question.checks.items()
        for each in commands
    ]
    return {"packages": [*question.packages], "flatpaks": [*question.flatpaks], "checks": checks}


def parse_software(data: Any, question: SoftwareQuestion) -> SoftwareAnswer:
    """Read what a laptop said in its facts, trusting none of it.

    Raises:
        ValueError: with a short reason that quotes nothing of what the laptop said.
    """
    if not isinstance(data, dict) or data.keys() != {"packages", "flatpaks", "checks"}:
        raise ValueError("software: not exactly the fields packages, flatpaks, checks")
    packages, flatpaks, checks = data["packages"], data["flatpaks"], data["checks"]
    if not isinstance(packages, list) or len(packages) > _MOST_PACKAGES or not all(map(_is_package, packages)):
        raise ValueError("software: packages are no list of name, version, architecture and source")
    if not isinstance(flatpaks, list) or len(flatpaks) > _MOST_FLATPAKS or not all(map(_is_flatpak, flatpaks)):
        raise ValueError("software: flatpaks are no list of what flatpak says of each")
    if not isinstance(checks, dict) or checks.keys() != question.checks.keys():
        raise ValueError("software: other products than those it was asked about")
    if not all(isinstance(each, str) for each in checks.values()):
        raise ValueError("software: what a check complains of is no text")
    return SoftwareAnswer(
        packages=tuple(sorted(InstalledPackage(*each) for each in packages)),
        checks={name: safe(text, limit=_LIMIT) for name, text in checks.items()},
        flatpaks=tuple(sorted(map(_flatpak, flatpaks))),
    )


def _is_package(data: Any) -> bool:
    if not isinstance(data, list) or len(data) != len(_SHAPES):
        return False
    return all(isinstance(text, str) and shape.fullmatch(text) for text, shape in zip(data, _SHAPES, strict=True))


def _is_flatpak(data: Any) -> bool:
    if not isinstance(data, list) or len(data) != len(_FLATPAK) + 2 or not all(isinstance(each, str) for each in data):
        return False
    name, _, *words, _ = data
    return all(shape.fullmatch(text) for text, shape in zip((name, *words), _FLATPAK, strict=True))


def _flatpak(data: list[str]) -> InstalledFlatpak:
    name, version, commit, architecture, branch, remote, options = data
    told = safe(version, limit=_VERSION_LIMIT)
    return InstalledFlatpak(name, told, commit, architecture, branch, remote, "runtime" in options.split(","))

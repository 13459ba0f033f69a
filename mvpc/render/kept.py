"""Programs that laptops keep (`mvpc/programs/`), and run by themselves."""

from __future__ import annotations

import re
from importlib.resources import files

from mvpc.model import File

FOLDER = "/usr/local/lib/mvpc"
_PART = re.compile(r"^from mvpc\.programs\.(\w+) import .*\n", re.MULTILINE)


def kept(name: str, *, notify: tuple[str, ...] = ()) -> File:
    """The program `mvpc/programs/NAME.py` as it lies on laptops; its first line says what runs it.

    Parts that it imports stand in it where it imports them, since on laptops a program is one file.
    """
    text = _PART.sub(lambda found: _part(found[1]), _read(name))
    return File(path=f"{FOLDER}/{name}", content=text, mode="0755", notify=notify)


def _part(name: str) -> str:
    return _PART.sub("", _read(name)).replace("from __future__ import annotations\n", "")


def _read(name: str) -> str:
    return files("mvpc.programs").joinpath(f"{name}.py").read_text(encoding="utf-8")

"""Programs that laptops keep (`mvpc/programs/`), and run by themselves."""

from __future__ import annotations

from importlib.resources import files

from mvpc.model import File

FOLDER = "/usr/local/lib/mvpc"


def kept(name: str, *, notify: tuple[str, ...] = ()) -> File:
    """The program `mvpc/programs/NAME.py` as it lies on laptops; its first line says what runs it."""
    text = files("mvpc.programs").joinpath(f"{name}.py").read_text(encoding="utf-8")
    return File(path=f"{FOLDER}/{name}", content=text, mode="0755", notify=notify)

"""A project folder for a simulated fleet: copies of what people wrote, and a state of its own."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mvpc.chances import MARKER, Chances, chances_text
from mvpc.errors import InputError, MvpcError
from mvpc.project import MARKER as PROJECT
from mvpc.project import Project, load_project

_COPIED = (PROJECT, "profiles", "inventory/organisation.yml", "playbooks/local")


def make_folder(
    original: Project,
    folder: Path,
    chances: Chances,
    fill: Callable[[Project], None],
    *,
    replace: bool = False,
) -> Project:
    """Make the project folder of a simulated fleet; it is there as a whole or not at all.

    Profiles, roles of the site, organisation and mvpc.toml are copied, so that a change that is rehearsed there is
    nowhere else. Secrets are not.

    Args:
        original: the project that is rehearsed.
        folder: where; it must not exist, or be another simulated fleet, with `replace`.
        chances: how the laptops behave.
        fill: enters the laptops in its inventory.
        replace: whether a simulated fleet that lies there is removed.

    Raises:
        InputError: something else lies there, or a simulated fleet that is not to be replaced.
        MvpcError: the files cannot be written.
    """
    _refuse(folder, replace=replace)
    with _all_or_nothing(folder) as new:
        for name in _COPIED:
            _copy(original.root / name, new / name)
        (new / MARKER).write_text(chances_text(chances), encoding="utf-8")
        (new / ".gitignore").write_text("*\n", encoding="utf-8")  # a rehearsal is nobody's history
        fill(load_project(new))
    return load_project(folder)


def _refuse(folder: Path, *, replace: bool) -> None:
    if not folder.exists():
        return
    if not (folder / MARKER).is_file():
        raise InputError("this folder is no simulated fleet", where=str(folder), hint="Name another --folder")
    if not replace:
        step = "Work in it, or make a new one in its place with --replace"
        raise InputError("there is a simulated fleet already", where=str(folder), hint=step)


@contextmanager
def _all_or_nothing(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place at the end."""
    new = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.new")
    try:
        new.mkdir(mode=0o700, parents=True)
        yield new
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except OSError as error:
        where = str(error.filename or folder)
        raise MvpcError(f"the folder cannot be made ({error.strerror or error})", where=where) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

"""What the shell offers at Tab. Whatever is wrong, it offers and says nothing: people are typing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from mvpc.errors import MvpcError
from mvpc.project import Project, find_project

_MOST = 200
"""More than that help nobody who looks for one."""


def laptops(ctx: typer.Context, incomplete: str) -> list[str]:
    """Hostnames in the inventory."""
    return _beginning(ctx, incomplete, _hostnames)


def ressorts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Codes of ressorts."""
    return _beginning(ctx, incomplete, _ressorts)


def authorities(ctx: typer.Context, incomplete: str) -> list[str]:
    """Codes of authorities."""
    return _beginning(ctx, incomplete, _authorities)


def _beginning(ctx: typer.Context, incomplete: str, known: Callable[[Project], Iterable[str]]) -> list[str]:
    try:
        folder = ctx.find_root().params.get("project")
        names = known(find_project(Path(folder) if folder else Path.cwd()))
    except (MvpcError, OSError):
        return []
    return sorted(name for name in names if name.startswith(incomplete))[:_MOST]


def _hostnames(project: Project) -> Iterable[str]:
    from mvpc.store.read import Reader  # noqa: PLC0415 - only at Tab

    with Reader(project.database) as reader:
        return [device.hostname for device in reader.devices()]


def _ressorts(project: Project) -> Iterable[str]:
    from mvpc.organisation import load_organisation  # noqa: PLC0415 - only at Tab

    return load_organisation(project.root).ressorts


def _authorities(project: Project) -> Iterable[str]:
    from mvpc.organisation import load_organisation  # noqa: PLC0415 - only at Tab

    return load_organisation(project.root).authorities

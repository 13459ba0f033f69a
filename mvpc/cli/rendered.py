"""What would land on a laptop, as files in a folder and as a list."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mvpc.errors import InputError, MvpcError
from mvpc.localroles import FOLDER
from mvpc.model import Bundle, Component, Connection, File, Package, Resource, Unit

CONNECTIONS = "/etc/NetworkManager/system-connections"


@dataclass(frozen=True, kw_only=True, slots=True)
class Landing:
    """One file, link, package or unit. The content may hold secrets, so it is not printed."""

    component: str
    kind: str
    name: str
    mode: str = ""
    detail: str = ""
    content: str | None = None
    target: str = ""

    def described(self) -> dict[str, str]:
        """Everything but the content."""
        return {key: value for key, value in asdict(self).items() if key not in {"content", "target"}}

    def __repr__(self) -> str:
        return f"Landing({self.kind} {self.name})"


def landing(bundle: Bundle) -> list[Landing]:
    """Everything in a bundle, in its order."""
    return [row for part in bundle.components for row in _component(part)]


def write_landing(rows: Sequence[Landing], folder: Path) -> None:
    """Write files and links below a new or empty folder, which only its owner can open.

    Raises:
        InputError: the folder is not empty.
        MvpcError: it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError("the folder is not empty", where=str(folder), hint="Name a new one")
        folder.chmod(0o700)
        for row in rows:
            _write(row, folder / row.name.lstrip("/"))
    except OSError as error:
        raise MvpcError(
            f"the files cannot be written ({error.strerror})", where=str(error.filename or folder)
        ) from error


def _component(part: Component) -> Iterator[Landing]:
    for resource in part.resources:
        yield _landing(part.name, resource)
    if part.role and part.role.tasks:
        file = f"tasks/{part.role.tasks}"
        yield Landing(component=part.name, kind="role", name=f"{FOLDER}/{part.role.role}", detail=file)


def _landing(component: str, resource: Resource) -> Landing:
    if isinstance(resource, File):
        return _file(component, resource)
    if isinstance(resource, Connection):
        path = f"{CONNECTIONS}/{resource.id}.nmconnection"
        keys = "own key of the laptop is put in there" if resource.device_keys else "root:root"
        return Landing(
            component=component, kind="connection", name=path, mode="0600", detail=keys, content=resource.content
        )
    if isinstance(resource, Package):
        wanted = resource.version or "installed"
        return Landing(
            component=component, kind="package", name=resource.name, detail=wanted if resource.present else "absent"
        )
    return Landing(component=component, kind="unit", name=resource.name, detail=_unit(resource))


def _file(component: str, file: File) -> Landing:
    if not file.present:
        return Landing(component=component, kind="file", name=file.path, detail="absent")
    if file.target:
        return Landing(component=component, kind="link", name=file.path, detail=f"-> {file.target}", target=file.target)
    owner = f"{file.owner}:{file.group}"
    return Landing(component=component, kind="file", name=file.path, mode=file.mode, detail=owner, content=file.content)


def _unit(unit: Unit) -> str:
    if unit.masked:
        return "masked"
    return f"{'enabled' if unit.enabled else 'disabled'}, {'running' if unit.running else 'stopped'}"


def _write(row: Landing, path: Path) -> None:
    if row.target:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(row.target)
    elif row.content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(row.content)
        path.chmod(int(row.mode, 8))

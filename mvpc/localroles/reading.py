"""Read the roles: every file counts for the digest, so nothing may hide outside of the role's folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mvpc.errors import InputError, Problem
from mvpc.yamlfile import syntax_problem

FOLDER = "playbooks/local"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What Ansible allows for roles (ansible-lint rule role-name)."""
_TAKEN = frozenset({"ansible", "mvpc"})
"""Variables that begin with these words steer Ansible and mvpc themselves."""
_NOT_PART = frozenset({"__pycache__"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalRole:
    """One role of the site."""

    name: str
    files: Mapping[str, str]
    """Path below the role -> fingerprint of content and executable bit, the only mode that git keeps."""
    options: Mapping[str, Mapping[str, Any]] | None = None
    """Variable -> its entry in `meta/argument_specs.yml`; None when the role describes none."""
    defaults: frozenset[str] = field(default_factory=frozenset)
    """Variables in `defaults/main.yml`."""

    @property
    def can_be_removed(self) -> bool:
        """Whether it knows how to undo what it did."""
        return _main(self.files, "tasks", "remove") is not None


def load_local_roles(root: Path) -> dict[str, LocalRole]:
    """Every role in `playbooks/local` of a project folder, by name.

    Raises:
        InputError: with every problem of all roles.
    """
    roles: dict[str, LocalRole] = {}
    problems: list[Problem] = []
    built_in = {path.name for path in (root / "playbooks" / "roles").glob("*")}
    for folder in sorted(path for path in (root / FOLDER).glob("*") if path.is_dir()):
        if complaint := _bad_name(folder.name, built_in):
            problems.append(Problem(f"{FOLDER}/{folder.name}", complaint, "Rename it"))
            continue
        try:
            roles[folder.name] = _read(folder)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError.of(problems)
    return roles


def role_of(path: str) -> tuple[str, str] | None:
    """Role and file inside of it, for a path of the project folder that belongs to one."""
    parts = PurePosixPath(path).parts
    return (parts[2], "/".join(parts[3:])) if path.startswith(f"{FOLDER}/") and len(parts) > 3 else None


def _bad_name(name: str, built_in: set[str]) -> str:
    if name in built_in:
        return "mvpc has a role of this name"
    if not NAME.fullmatch(name) or name in _TAKEN:
        return "the name of a role is a-z, 0-9 and _, begins with a letter, and is neither ansible nor mvpc"
    return ""


def _read(folder: Path) -> LocalRole:
    where = f"{FOLDER}/{folder.name}"
    try:
        files = dict(_files(folder, where))
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})", where=where) from error
    if _main(files, "tasks", "main") is None:
        raise InputError("a role needs tasks/main.yml", where=where, hint="Add it, or remove the folder")
    if broken := [
        problem for path in files if _is_yaml(path) for problem in _broken_yaml(folder / path, f"{where}/{path}")
    ]:
        raise InputError.of(broken)
    meta = _data(folder, files, "meta", "main")
    if meta.get("dependencies"):
        hint = "Choose both roles in the profile, or put them into one"
        raise InputError(
            "a role here cannot depend on others: its digest would not see them", where=f"{where}/meta", hint=hint
        )
    described = _data(folder, files, "meta", "argument_specs")
    if described and "argument_specs" not in described:
        hint = "Begin it with argument_specs, and below that main with options"
        raise InputError("it describes no variables", where=f"{where}/meta/argument_specs.yml:1", hint=hint)
    specs = {**_part(meta, "argument_specs"), **_part(described, "argument_specs")}
    return LocalRole(
        name=folder.name,
        files=files,
        options=_part(_part(specs, "main"), "options") if specs else None,
        defaults=frozenset(_data(folder, files, "defaults", "main")),
    )


def _files(folder: Path, where: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise InputError(
                "a role here cannot hold links: its digest would not see what they point to",
                where=f"{where}/{name}",
                hint="Put a copy there",
            )
        if path.is_file() and not _NOT_PART.intersection(path.parts):
            yield name, _fingerprint(path)


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{content} x" if path.stat().st_mode & 0o100 else content


def _main(files: Mapping[str, str], folder: str, name: str) -> str | None:
    """The file of that name, with any of the endings that Ansible knows."""
    return next((path for end in (".yml", ".yaml", "") if (path := f"{folder}/{name}{end}") in files), None)


def _data(folder: Path, files: Mapping[str, str], kind: str, name: str) -> dict[str, Any]:
    """One YAML file of the role as Ansible reads it; empty when it has none."""
    path = _main(files, kind, name)
    if path is None:
        return {}
    where = f"{FOLDER}/{folder.name}/{path}:1"
    try:
        found = yaml.load((folder / path).read_text(encoding="utf-8"), Loader=_Tolerant)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise InputError("this is not valid YAML", where=where) from error
    if found is not None and not isinstance(found, dict):
        raise InputError("this must be a map", where=where)
    return found or {}


class _Tolerant(yaml.SafeLoader):
    """Reads what Ansible reads, without what its tags (!vault, !unsafe) mean."""


_Tolerant.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def _is_yaml(path: str) -> bool:
    kind, _, name = path.partition("/")
    return kind in {"tasks", "handlers", "defaults", "vars", "meta"} and name.endswith((".yml", ".yaml"))


def _broken_yaml(path: Path, where: str) -> Iterator[Problem]:
    """Ansible would end the whole run at such a file, for all laptops and roles."""
    try:
        for _ in yaml.parse(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        yield syntax_problem(error, where)
    except (yaml.YAMLError, UnicodeDecodeError):
        yield Problem(f"{where}:1", "this is not valid YAML")


def _part(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return dict(found) if isinstance(found, dict) else {}

"""Components local-<role>: the site's own roles. They have no resources; what they do is up to the role."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mvpc.localroles import FOLDER, LocalRole
from mvpc.model import RoleRun, Scalar
from mvpc.settings import RoleChoice

_SHOWN = 12
"""Characters of a file's fingerprint that are kept to explain a change with."""


def role_runs(
    chosen: Mapping[str, RoleChoice], roles: Mapping[str, LocalRole], former: Sequence[str] = ()
) -> Iterator[RoleRun]:
    """How each role is run, by name.

    Args:
        chosen: what the profile says.
        roles: the site's roles.
        former: roles that the laptop had. Those that the profile does not name any more are taken off as well.
    """
    for name in sorted({*chosen, *former}):
        choice = chosen.get(name, RoleChoice(state="absent"))
        if choice.state == "present":
            yield RoleRun(role=name, variables=choice.variables, max_age_days=choice.max_age_days)
        else:
            known = name in roles and roles[name].can_be_removed
            yield RoleRun(role=name, tasks="remove" if known else "", variables=choice.variables)


def essence(run: RoleRun, role: LocalRole | None, ansible: str) -> list[Any]:
    """Everything that decides what the role does: what its digest covers."""
    if not run.tasks or role is None:
        return [run.role]
    variables = json.dumps(dict(run.variables), sort_keys=True)  # the order of keys means nothing
    return [run.role, run.tasks, variables, sorted(role.files.items()), ansible]


def inputs(run: RoleRun, role: LocalRole | None, ansible: str, settings: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What a plan explains changes with: the settings, and a fingerprint for each file of the role."""
    age = f"local.{run.role}.max_age_days"
    kept = {path: value for path, value in settings.items() if path != age}
    if run.taken_off or role is None:
        return kept
    files = {f"{FOLDER}/{run.role}/{path}": mark[:_SHOWN] + mark[64:] for path, mark in sorted(role.files.items())}
    return {**kept, **files, "ansible-core": ansible}

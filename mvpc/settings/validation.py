"""Merged -> Settings, or every problem with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from mvpc.catalogue import FlatpakProduct, Product, choose
from mvpc.errors import InputError, Problem
from mvpc.localroles import FOLDER, LocalRole
from mvpc.localroles.variables import variable_findings
from mvpc.profiles import Keys, Merged, dotted, in_order, suggestion
from mvpc.settings.models import Settings
from mvpc.strict import is_path, keys_at, problems_of
from mvpc.yamlfile import HIDDEN


def validate(
    merged: Merged,
    *,
    catalogue: Mapping[str, Product],
    roles: Mapping[str, LocalRole] | None = None,
    admin: str = "",
) -> Settings:
    """Check merged layers against the schema.

    Args:
        merged: what the layers of a device say together.
        catalogue: the products that a profile may choose.
        roles: the site's own roles; None leaves them unchecked.
        admin: the account that mvpc logs in with; when given, it must be allowed to.

    Raises:
        InputError: with every problem, each at the line that set the value. No value is shown.
    """
    problems = [*_hidden_characters(merged), *_locks(merged, catalogue)]
    try:
        software = choose(merged, catalogue)
    except InputError as error:
        problems += error.problems
        software = {}
    values = {
        key: software if key == "software" and isinstance(value, Mapping) else value
        for key, value in merged.values.items()
    }
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += problems_of(error, model=Settings, place=merged.place)
    else:
        problems += _admin(merged, settings, admin)
        problems += _remotes(merged, settings, catalogue)
        problems += _roles(merged, settings, roles)
    if problems:
        raise InputError.of(in_order(problems))
    return settings


def _hidden_characters(merged: Merged) -> Iterator[Problem]:
    """A line break in a value could add a line to a file on the laptop."""
    for keys, origin in merged.origins.items():
        text = origin.value
        if isinstance(text, str) and (("\n" in text and not _may_have_lines(keys)) or HIDDEN.search(text)):
            step = "Write it in one line of visible characters"
            yield Problem(str(origin.source), f"{dotted(keys)}: holds an invisible character", step)


def _may_have_lines(keys: Keys) -> bool:
    """Keys of sources: each of their lines is checked, and indented or joined where it is written."""
    return keys[:3] in {("base", "apt", "sources"), ("base", "flatpak", "remotes")} and keys[4:] == ("key",)


def _locks(merged: Merged, catalogue: Mapping[str, Product]) -> Iterator[Problem]:
    for lock, source in merged.locks.items():
        if not _is_path(lock, catalogue):
            step = suggestion(lock, _paths()) or "Write a path such as base.ssh"
            yield Problem(str(source), f"lock: no setting is called {lock}", step)


def _is_path(lock: str, catalogue: Mapping[str, Product]) -> bool:
    section, _, path = lock.partition(".")
    name, _, setting = path.partition(".")
    if section != "software" or not path:
        return is_path(Settings, lock)
    return name in catalogue and (not setting or is_path(catalogue[name].choice_model, setting))


def _paths() -> Iterator[str]:
    for section in Settings.model_fields:
        yield section
        yield from (f"{section}.{key}" for key in keys_at(Settings, (section,)) or ())


def _roles(merged: Merged, settings: Settings, roles: Mapping[str, LocalRole] | None) -> Iterator[Problem]:
    """What roles and their variables do not fit. A role that is taken off may be gone."""
    if roles is None:
        return
    for name, choice in settings.local.items():
        path = ("local", name)
        if choice.state == "absent":
            continue
        if name not in roles:
            step = suggestion(name, roles) or f"Add the role {FOLDER}/{name}, or remove it here"
            yield Problem(str(merged.place(path)), f"{dotted(path)}: there is no such role", step)
            continue
        for finding in variable_findings(roles[name], choice.variables):
            full = (*path, "variables", *finding.path)
            yield Problem(str(merged.place(full)), f"{dotted(full)}: {finding.what}", finding.hint)


def _remotes(merged: Merged, settings: Settings, catalogue: Mapping[str, Product]) -> Iterator[Problem]:
    """Flatpaks whose remote the profile does not name."""
    remotes = settings.base.flatpak.remotes
    for name, choice in settings.software.items():
        product = catalogue[name]
        if choice.state == "present" and isinstance(product, FlatpakProduct) and product.remote not in remotes:
            what = f"software.{name}: base.flatpak.remotes has no remote {product.remote}"
            step = suggestion(product.remote, remotes) or "Add it with its url and key"
            yield Problem(str(merged.place(("software", name))), what, step)


def _admin(merged: Merged, settings: Settings, admin: str) -> Iterator[Problem]:
    path = ("base", "ssh", "allow_users")
    if admin and settings.base.ssh.allow_users.get(admin) != "present":
        what = f"{dotted(path)}: {admin} is not allowed, so mvpc would lock itself out"
        yield Problem(str(merged.place((*path, admin))), what, f"Add {admin}: present")

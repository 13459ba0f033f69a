"""Check variables that a profile gives to a role, before any laptop is touched.

Ansible checks `meta/argument_specs.yml` only when the role runs, and lets a misspelt name pass. What is checked here
are names, types, choices and what must be there; conditions between variables are left to Ansible.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mvpc.localroles.reading import LocalRole
from mvpc.profiles import suggestion
from mvpc.strict import Finding

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TEXT = "must be text", "Put it in quotes"
_WHOLE = "must be a whole number", "Write it without quotes"


def variable_findings(role: LocalRole, variables: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything that is wrong with the variables; paths begin at the variables. No value is shown."""
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or not name.startswith(f"{role.name}_"):
            hint = f"Call it {role.name}_..., so that no other role takes it for its own"
            yield Finding((name,), f"variables of role {role.name} begin with {role.name}_", hint)
        elif _is_secret(value):
            yield Finding((name,), "secrets cannot be given to roles", "Let the role find it on the laptop")
    if role.options is not None:
        yield from _against(role.options, variables, also=role.defaults)


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"secret"}


def _against(
    options: Mapping[str, Any], values: Mapping[str, Any], *, also: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Compare a map with the options that describe it."""
    names = {alias: name for name, option in options.items() for alias in (name, *_list(option, "aliases"))}
    for name in values:
        if name not in names and name not in also:
            known = [*names, *sorted(also)]
            yield Finding((name,), "unknown variable", suggestion(name, known) or f"Known here: {', '.join(known)}")
    given = {names[name] for name in values if name in names}
    for name, option in options.items():
        if isinstance(option, Mapping) and option.get("required") is True and name not in given:
            yield Finding((name,), "is missing", "Add it")
    for name, value in values.items():
        option = options.get(names.get(name, ""))
        if isinstance(option, Mapping) and value is not None:
            yield from (Finding((name, *each.path), each.what, each.hint) for each in _value(option, value))


def _value(option: Mapping[str, Any], value: Any) -> Iterator[Finding]:
    """Compare one value with its option."""
    kind = str(option.get("type", "str"))
    if problem := _wrong_kind(kind, value):
        yield Finding((), *problem)
        return
    if kind != "list":
        yield from _single(option, value)
        return
    element = {**option, "type": option.get("elements", "raw")}
    for number, item in enumerate(value):
        problem = _wrong_kind(str(element["type"]), item)
        found = [Finding((), *problem)] if problem else _single(element, item)
        yield from (Finding((number, *each.path), each.what, each.hint) for each in found)


def _single(option: Mapping[str, Any], value: Any) -> Iterator[Finding]:
    """Compare a value of the right type, or one item of a list, with what else its option says."""
    choices = _list(option, "choices")
    if choices and value not in choices:
        yield Finding((), f"must be one of {', '.join(map(str, choices))}")
    inner = option.get("options")
    if isinstance(inner, Mapping) and isinstance(value, Mapping):
        yield from _against(inner, value)


def _wrong_kind(kind: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with the type of a value, and the fix; None when nothing is, or when the type is not known."""
    number = isinstance(value, int) and not isinstance(value, bool)
    fits, problem = {
        "str": (isinstance(value, str), _TEXT),
        "path": (isinstance(value, str), _TEXT),
        "int": (number, _WHOLE),
        "bool": (isinstance(value, bool), ("must be true or false", "Write it without quotes")),
        "float": (number or _is_decimal(value), ("must be a number", 'Write a decimal number in quotes, "1.5"')),
        "list": (isinstance(value, list), ("must be a list", "Write `[one, two]`, or `- one` lines below it")),
        "dict": (isinstance(value, Mapping), ("must be a map", "Write `key: value` lines below it")),
    }.get(kind, (True, ("", "")))
    return None if fits else problem


def _is_decimal(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", value) is not None


def _list(option: Any, key: str) -> list[Any]:
    found = option.get(key) if isinstance(option, Mapping) else None
    return list(found) if isinstance(found, list) else []

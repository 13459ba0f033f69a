"""The request, read field by field before anything is touched: nothing odd comes past this part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mvpc.device.converge.resources import KINDS, LEDGER_ONLY, Component
from mvpc.device.converge.words import FORMAT, Refused

ACTIONS = frozenset({"probe", "check", "begin", "apply"})
UNIT_NAME = r"[A-Za-z0-9][A-Za-z0-9_:.@\\-]*\.(?:service|socket|timer|target|path|mount|automount|swap|slice)"
SHAPES: Mapping[str, str] = {
    "path": r"(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f\ud800-\udfff]+)+",
    "mode": r"0[0-7]{3}",
    "owner": r"[a-z_][a-z0-9_-]*",
    "group": r"[a-z_][a-z0-9_-]*",
    "target": r"[^\x00-\x1f\x7f\ud800-\udfff]*",
    "package": r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?",
    "application": r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)+",
    "version": r"[A-Za-z0-9.+:~-]*",
    "unit": UNIT_NAME,
    "notify": rf"daemon-reload|hostname|connections|dconf|(?:reload|restart) {UNIT_NAME}",
    "id": r"\w[\w .@-]{0,99}",
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "device_keys": r"wireguard|device",
    "sha256": r"(?:[0-9a-f]{64})?",
    "component": r"[a-z][a-z0-9_-]*",
    "digest": r"[A-Za-z0-9_-]{1,128}",
    "product": r"[a-z0-9][a-z0-9+-]*",
}
"""How the whole text in a field must look."""
FREE_TEXT = r"[^\ud800-\udfff]*"
"""The shape of all other fields: whatever UTF-8 can write."""


class Check(NamedTuple):
    """One command that shows that a product works."""

    product: str
    argv: tuple[str, ...]
    exit: int
    output: str
    """Regular expression that must be found in what it prints; empty when nothing must."""
    seconds: int


class Inquiry(NamedTuple):
    """What a probe asks about software."""

    packages: tuple[str, ...]
    """Names of packages; none means everything that is installed, Flatpaks too."""
    flatpaks: tuple[str, ...]
    """Names of applications."""
    checks: tuple[Check, ...]


class Survey(NamedTuple):
    """What a probe asks about central services."""

    program: str
    """Source text for `python3 -I -`."""
    seconds: int
    """How long it may take."""


class Order(NamedTuple):
    """A request that was read and understood."""

    action: str
    generation: int
    diff: bool
    updates: bool
    """Whether a probe shall also count the updates that are pending: apt takes longer for it than all the rest."""
    undo: str
    """Program that takes an apply back when nobody gets in again; empty when nothing is to be taken back."""
    components: tuple[Component, ...]
    software: Inquiry | None = None
    services: Survey | None = None
    versions: Mapping[str, str] | None = None
    """Packages and exact versions that a probe shall look for."""


def read_order(request: Any) -> Order:
    """Check a whole request before anything is touched; raises Refused."""
    if not isinstance(request, dict) or request.get("format") != FORMAT:
        raise Refused(f"the request is not of format {FORMAT}")
    known = {"format", "action", "device", "generation", "diff", "updates", "undo", "components"}
    odd = (request.keys() - {"software", "services", "versions"}) ^ known
    if odd:
        raise Refused(f"request: unknown or missing: {', '.join(sorted(odd)):.80}")
    action, generation, components = request["action"], request["generation"], request["components"]
    diff, updates, undo = request["diff"], request["updates"], read_field("str", "undo", request["undo"])
    if action not in ACTIONS:
        raise Refused(f"unknown action {action!r:.40}")
    if type(generation) is not int or {type(diff), type(updates)} != {bool} or not isinstance(components, list):
        raise Refused("generation, diff, updates or components: not of the right type")
    read = tuple(map(read_component, components))
    if len({each.name for each in read}) != len(read):
        raise Refused("a component is given twice")
    software = read_inquiry(request["software"]) if "software" in request else None
    services = read_survey(request["services"]) if "services" in request else None
    versions = read_versions(request["versions"]) if "versions" in request else None
    return Order(action, generation, diff, updates, undo, read, software, services, versions)


def read_inquiry(data: Any) -> Inquiry:
    """What a request asks about software; raises Refused."""
    if not isinstance(data, dict) or data.keys() != {"packages", "flatpaks", "checks"}:
        raise Refused("software: needs packages, flatpaks and checks")
    if not isinstance(data["checks"], list):
        raise Refused("software: checks are no list")
    names = read_field("tuple[str, ...]", "package", data["packages"])
    apps = read_field("tuple[str, ...]", "application", data["flatpaks"])
    return Inquiry(names, apps, tuple(map(read_check, data["checks"])))


def read_survey(data: Any) -> Survey:
    """What a request asks about central services; raises Refused."""
    if not isinstance(data, dict) or data.keys() != {"program", "seconds"} or type(data["seconds"]) is not int:
        raise Refused("services: needs program and seconds")
    return Survey(read_field("str", "program", data["program"]), data["seconds"])


def read_versions(data: Any) -> Mapping[str, str]:
    """Packages and versions that a request asks about; raises Refused."""
    versions = read_field("Mapping[str, str]", "version", data)
    read_field("tuple[str, ...]", "package", list(versions))
    return dict(versions)


def read_check(data: Any) -> Check:
    """One command that shows that a product works; raises Refused."""
    if not isinstance(data, dict) or data.keys() != {"product", "argv", "exit", "output", "seconds"}:
        raise Refused("check: needs product, argv, exit, output and seconds")
    argv = read_field("tuple[str, ...]", "argv", data["argv"])
    output = read_field("str", "output", data["output"])
    if not argv or type(data["exit"]) is not int or type(data["seconds"]) is not int:
        raise Refused("check: argv, exit or seconds: not of the right type")
    try:
        re.compile(output)
    except re.error:
        raise Refused("check: output is no regular expression") from None
    return Check(read_field("str", "product", data["product"]), argv, data["exit"], output, data["seconds"])


def read_component(data: Any) -> Component:
    """One component of a request; raises Refused."""
    if not isinstance(data, dict) or data.keys() != {"name", "digest", "resources"}:
        raise Refused("component: needs name, digest and resources")
    name = read_field("str", "component", data["name"])
    digest = read_field("str", "digest", data["digest"])
    if not isinstance(data["resources"], list):
        raise Refused(f"component {name}: resources are not a list")
    try:
        resources = tuple(map(read_resource, data["resources"]))
    except Refused as problem:
        raise Refused(f"component {name}: {problem}") from None
    if len({each.identity for each in resources}) != len(resources):
        raise Refused(f"component {name}: a resource is given twice")
    return Component(name, digest, resources)


def read_resource(data: Any, *, ledger: bool = False) -> Any:
    """The resource that a JSON object describes; raises Refused."""
    kind = str(data.get("kind")) if isinstance(data, dict) else "no object"
    if kind not in KINDS:
        raise Refused(f"unknown kind of resource: {kind!r:.40}")
    known = {name: text for name, text in field_types(KINDS[kind]).items() if ledger or name not in LEDGER_ONLY}
    needed = known.keys() - KINDS[kind]._field_defaults.keys()
    given = {name: value for name, value in data.items() if name != "kind"}
    odd = (given.keys() - known.keys()) | (needed - given.keys())
    if odd:
        raise Refused(f"{kind}: unknown or missing: {', '.join(sorted(odd)):.80}")
    shape_of = {"name": kind}
    return KINDS[kind](**{name: read_field(known[name], shape_of.get(name, name), given[name]) for name in given})


def field_types(kind: type[Any]) -> Mapping[str, str]:
    """Field -> its type as it is written in the class; `typing` wraps that text."""
    return {name: str(getattr(written, "__forward_arg__", written)) for name, written in kind.__annotations__.items()}


def read_field(kind: str, shape: str, value: Any) -> Any:
    """A value in its Python type and shape; raises Refused without the value, since it may be secret."""
    if kind == "bool" and isinstance(value, bool):
        return value
    given = {"str": str, "tuple[str, ...]": list, "Mapping[str, str]": dict}.get(kind)
    if type(value) is not given or (given is dict and "" in value):
        raise Refused(f"{shape}: not of type {kind}")
    texts: Iterable[Any] = [value] if given is str else value.values() if given is dict else value
    for text in texts:
        if not isinstance(text, str) or not re.fullmatch(SHAPES.get(shape, FREE_TEXT), text):
            raise Refused(f"{shape}: not a valid value")
    return tuple(value) if isinstance(value, list) else value

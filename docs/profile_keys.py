"""The keys of a profile as one Markdown page. Words, types and defaults are those of the models of the settings."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.tables import ROOT, Row, guide, table
from mvpc.catalogue import Presence, Product, load_catalogue
from mvpc.settings import SecretRef, Settings, json_schema
from mvpc.strict import Kind

SAMPLES = ROOT / "docs/samples"

_HEAD = """# Keys of a profile

Generated from the program by `make docs`. How layers merge and how to try a change: [write
profiles](../how-to/write-profiles.md). Editors show the same texts while you type, from
[profiles/schema.json](../../profiles/schema.json).

| block | what it is about |
|---|---|
"""

_LEGEND = """
## How to read the tables

- **Keys** are whole paths, as `lock`, `mvpc profile explain LAPTOP vpn.dns` and messages write them. In YAML each dot
  is a level: `base.ssh.crypto: openssh-modern` is `base: {{ssh: {{crypto: openssh-modern}}}}`. Where `<name>` stands,
  you choose the names; the second column says which are allowed.
- A **switch** is a name with `present` or `absent`. Every layer may add names, and switch off those of the layers
  before it: `base.time_servers: {{ntp1.mv.example: present, ntp2.mv.example: absent}}`. Only those that are present in
  the end count.
- A **map** is a key with further keys below it, which follow in the table.
- The **default** holds where no layer says anything. A key that is *needed* must be there as soon as the map around it
  is; which layer says it does not matter.
- **Secrets**, such as `psk: {{secret: wifi/guest-psk}}`: {secret}
"""

_GUIDES: Mapping[str, tuple[str, ...]] = {
    "lock": ("write-profiles",),
    "base": ("package-sources", "choose-software"),
    "vpn": ("vpn",),
    "wifi": ("wifi",),
    "software": ("choose-software",),
    "local": ("own-roles",),
}
"""Block -> pages that tell how to work with it."""

_SOFTWARE = """
`mvpc catalogue show PRODUCT` tells which of these keys a product has, and its own settings with their types and
defaults. They stand beside `state`, as `homepage` above.
"""


def profile_keys() -> str:
    """The whole page."""
    about = {"lock": _lock()["description"]} | {name: _meaning(field) for name, field in Settings.model_fields.items()}
    index = "".join(f"| [`{name}`](#{name}) | {words} |\n" for name, words in about.items())
    legend = _LEGEND.format(secret=_one_line(SecretRef.__doc__))
    return "\n".join([_HEAD + index + legend, *map(_section, about)])


def rows(block: str) -> Iterator[Row]:
    """The table of one block."""
    if block == "lock":
        examples = ", ".join(f"`{each}`" for each in _lock()["items"]["examples"])
        yield Row("lock", f"list of paths, such as {examples}", "none", _lock()["description"])
    elif block == "software":
        yield _product()
        for name, field in _of_products(load_catalogue(ROOT)).items():
            yield from _rows(f"{block}.<name>.{name}", field, {})
    else:
        yield from _rows(block, Settings.model_fields[block], {})


def _lock() -> dict[str, Any]:
    lock: dict[str, Any] = json_schema({})["properties"]["lock"]
    return lock


def _product() -> Row:
    field = Settings.model_fields["software"]
    path, _, values = _described("software", field)
    return Row(path, values.replace("map", "`present`, `absent` or a map", 1), _default(field), _meaning(field))


def _of_products(catalogue: Mapping[str, Product]) -> dict[str, FieldInfo]:
    """What profiles may say about products besides their own settings."""
    return {name: product.choice_model.model_fields[name] for product in catalogue.values() for name in product.fields}


def _section(block: str) -> str:
    guides = ", ".join(map(guide, _GUIDES[block]))
    sample = (SAMPLES / f"{block}.yml").read_text(encoding="utf-8")
    return (
        f"## {block}\n\n{guides}\n\n```yaml\n{sample}```\n\n{table(rows(block))}"
        f"{_SOFTWARE if block == 'software' else ''}"
    )


def _rows(path: str, field: FieldInfo, seen: dict[Any, str]) -> Iterator[Row]:
    """One key and all that are below it. What stands in the table already is not described again."""
    path, kind, values = _described(path, field)
    if kind in seen:
        yield Row(path, f"{values}; the keys of `{seen[kind]}`", _default(field), _meaning(field))
        return
    yield Row(path, values, _default(field), _meaning(field, kind))
    if _is_model(kind):
        seen[kind] = path
        for key, each in kind.model_fields.items():
            yield from _rows(f"{path}.{key}", each, seen)


def _described(path: str, field: FieldInfo) -> tuple[str, Any, str]:
    """The path with a place for names where people choose these, the type of the values, and both in words."""
    kind, said = _bare(field.annotation)
    if typing.get_origin(kind) is not Mapping:
        return path, kind, _values(kind, (*field.metadata, *said), example=not _default(field).startswith("`"))
    name, value = typing.get_args(kind)
    kind, said = _bare(value)
    values = "switch" if kind == Presence else _values(kind, said)
    return f"{path}.<name>", kind, f"{values}; `<name>`: {_values(*_bare(name))}"


def _bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `Annotated` and `| None`, and what `Annotated` says about it."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *said = typing.get_args(annotation)
        bare, more = _bare(inner)
        return bare, (*said, *more)
    parts = [part for part in typing.get_args(annotation) if part is not NoneType]
    return _bare(parts[0]) if len(parts) == 1 and NoneType in typing.get_args(annotation) else (annotation, ())


def _values(kind: Any, said: tuple[Any, ...], *, example: bool = True) -> str:
    """What may stand there, in words."""
    if _is_model(kind):
        return "secret" if kind is SecretRef else "map"
    if typing.get_origin(kind) is Literal:
        return _either(typing.get_args(kind))
    for each in said:
        if isinstance(each, Kind):
            return re.sub("^an? ", "", each.name) + (_example(each.example) if example else "")
    return _PLAIN[kind] + _bounds(said)


_PLAIN: Mapping[Any, str] = {
    bool: "`true` or `false`",
    int: "whole number",
    int | str: "whole number or text",
    str: "text",
    Any: "plain data",
}


def _either(values: tuple[str, ...]) -> str:
    *most, last = (f"`{value}`" for value in values)
    return f"{', '.join(most)} or {last}" if most else last


def _example(text: str) -> str:
    """Keys of several lines are shown in the sample; what has code in it is a sentence already."""
    if "\n" in text:
        return ""
    return f", such as {text}" if "`" in text else f", such as `{text}`"


def _bounds(said: tuple[Any, ...]) -> str:
    least = next((each.ge for each in said if hasattr(each, "ge")), None)
    most = next((each.le for each in said if hasattr(each, "le")), None)
    return f", {least} to {most}" if least is not None else ""


def _default(field: FieldInfo) -> str:
    """Empty where the default is that of the keys below."""
    value = field.default
    if value is PydanticUndefined:
        return "needed"
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}: {each}" for name, each in value.items())
    return "none" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _meaning(field: FieldInfo, kind: Any = None) -> str:
    """The description of a key: its own, or that of the map that it is; both where people choose names of maps."""
    is_map = typing.get_origin(_bare(field.annotation)[0]) is Mapping
    own = field.description or ""
    model = _bare(field.annotation)[0] if kind is None else kind
    about = model.__doc__ if _is_model(model) and (is_map or not own) else ""
    words = " ".join(_one_line(text) for text in (own, about) if text)
    return _with_code(words, typing.get_args(model) if typing.get_origin(model) is Literal else ())


def _with_code(words: str, values: tuple[str, ...]) -> str:
    """Values that the words explain one by one look like what people type."""
    alternatives = "|".join(map(re.escape, values))
    return re.sub(rf"(^|; |\. )({alternatives})(?=: )", r"\1`\2`", words) if values else words


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)

"""Templates of the catalogue: the format says how a value is written, so that none can break out of its place.

Templates come from the catalogue and values from profiles. JSON and XML are parsed once more before they are used.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from xml.parsers import expat

from jinja2 import StrictUndefined, Template, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


class BadTemplateError(ValueError):
    """A template that cannot be filled, or whose result is not of its format."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(what)
        self.line = line
        """Line of the template; 0 where it is not known."""


_MARK = "Managed by mvpc (software). Changes are overwritten."


def written(template: str, kind: str, values: Mapping[str, Any]) -> str:
    """The text of one template, in its format.

    Args:
        template: a Jinja2 template.
        kind: json, xml, dconf or plain.
        values: what the template knows.

    Raises:
        BadTemplateError: the template is wrong, uses a name that does not exist, or the result is not of its format.
    """
    try:
        text = _compiled(template, kind).render(values)
    except TemplateError as error:
        raise BadTemplateError(error.message or "the template fails", _line(error)) from error
    except (TypeError, ArithmeticError, LookupError) as error:
        raise BadTemplateError(f"the template fails ({type(error).__name__})", _line(error)) from error
    return _FINISHED[kind](text)


def _line(error: Exception) -> int:
    """The line of the template: Jinja writes it into the traceback, unless the template cannot even be read."""
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == "<template>"]
    return getattr(error, "lineno", 0) or next((line for line in reversed(lines) if line), 0)


@cache
def _compiled(template: str, kind: str) -> Template:
    """Compiling is dearer than filling, and few templates serve a whole fleet."""
    return _environment(kind).from_string(template)


@cache
def _environment(kind: str) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=kind == "xml",
        finalize=_VALUES[kind],
    )


def _json_value(value: Any) -> Any:
    return value if isinstance(value, Undefined) else json.dumps(value, ensure_ascii=False)


def _gvariant(value: Any) -> Any:
    """GVariant text format (docs.gtk.org/glib/gvariant-text-format.html)."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_gvariant(each) for each in value)}]" if value else "@as []"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return _plain_value(value)


def _plain_value(value: Any) -> Any:
    if value is None:
        raise TypeError
    return str(value).lower() if isinstance(value, bool) else value


def _json_text(text: str) -> str:
    """Tidy JSON without the keys whose value is null: what a profile does not set is left to the program."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadTemplateError(f"the result is no JSON ({error})") from None
    return json.dumps(_without_null(data), indent=2, ensure_ascii=False) + "\n"


def _without_null(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_null(value) for key, value in data.items() if value is not None}
    return [_without_null(value) for value in data] if isinstance(data, list) else data


def _xml_text(text: str) -> str:
    try:
        expat.ParserCreate().Parse(text, True)
    except expat.ExpatError as error:
        raise BadTemplateError(f"the result is no XML ({error})") from None
    head, _, rest = text.partition("\n") if text.startswith("<?xml") else ('<?xml version="1.0"?>', "", text)
    return f"{head}\n<!-- {_MARK} -->\n{rest}"


def _marked(text: str) -> str:
    return f"# {_MARK}\n{text}"


_VALUES: Mapping[str, Callable[[Any], Any]] = {
    "json": _json_value,
    "xml": _plain_value,
    "dconf": _gvariant,
    "plain": _plain_value,
}
_FINISHED: Mapping[str, Callable[[str], str]] = {
    "json": _json_text,
    "xml": _xml_text,
    "dconf": _marked,
    "plain": _marked,
}

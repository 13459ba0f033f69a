"""Strict pydantic models, and their errors as sentences with a place. The rejected value is never shown."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from mvpc.errors import Problem
from mvpc.model import Source
from mvpc.profiles import dotted, suggestion

Path = tuple[str | int, ...]


class StrictModel(BaseModel):
    """Frozen; unknown keys are refused, and nothing is converted. Attribute docstrings are the descriptions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong between several fields of one model; `path` is relative to the model."""

    path: Path
    what: str
    hint: str = ""


def refuse(what: str, hint: str = "") -> PydanticCustomError:
    """The error that a field's validator raises. Neither text may hold the value."""
    return PydanticCustomError("refused", "refused", {"findings": (Finding((), what, hint),)})


def refuse_all(findings: Sequence[Finding]) -> None:
    """End a model's validator: raise all that was found between its fields, if anything was."""
    if findings:
        raise PydanticCustomError("refused", "refused", {"findings": tuple(findings)})


@dataclass(frozen=True, slots=True)
class Kind:
    """Text of one kind. `pattern` is ECMA-compatible, since the JSON Schema repeats it."""

    name: str
    example: str
    pattern: str
    check: Callable[[str], object] | None = None
    """A stricter test; raises ValueError."""
    limit: int = 255
    """Characters at most."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern, "examples": [self.example]}

    def _checked(self, text: str) -> str:
        try:
            valid = len(text) <= self.limit and re.fullmatch(self.pattern, text) is not None
            if valid and self.check:
                self.check(text)
        except ValueError:
            valid = False
        if not valid:
            raise refuse(f"must be {self.name}", self._step)
        return text

    @property
    def _step(self) -> str:
        """An example; of text with several lines how YAML wants it, since a message has one line."""
        if "\n" in self.example:
            return "Write | after the colon, and the lines of the text below it, indented"
        return f"For example: {self.example}"


def problems_of(
    error: ValidationError, *, model: type[BaseModel], place: Callable[[Sequence[str | int]], Source]
) -> list[Problem]:
    """Every error of a validation as a Problem: place, path, what is wrong, and the next step."""
    problems = []
    for details in error.errors(include_input=False, include_url=False):
        path = tuple(key for key in details["loc"] if key != "[key]")
        for finding in _findings(details, path, model):
            full = (*path, *finding.path)
            name = f"{dotted(full)}: " if full else ""
            problems.append(Problem(str(place(full)), f"{name}{finding.what}", finding.hint))
    return problems


def keys_at(model: type[BaseModel], path: Sequence[str | int]) -> tuple[str, ...] | None:
    """Keys that the schema knows at a path: empty where every name is allowed, None where the path does not exist."""
    found: Any = model
    for key in path:
        if _is_model(found):
            found = _annotation(found, str(key))
        elif typing.get_origin(found) is Mapping:
            found = _bare(typing.get_args(found)[1])
        else:
            found = None
        if found is None:
            return None
    return tuple(found.model_fields) if _is_model(found) else ()


def is_path(model: type[BaseModel], text: str) -> bool:
    """Whether a dotted path exists in the schema. Below a map keyed by name, any name does."""
    found: Any = model
    for key in text.split("."):
        if typing.get_origin(found) is Mapping:
            found = _bare(typing.get_args(found)[1])
            if not _is_model(found):
                return True
        else:
            found = _annotation(found, key) if _is_model(found) else None
        if found is None:
            return False
    return True


def _annotation(model: type[BaseModel], key: str) -> Any:
    field = model.model_fields.get(key)
    return _bare(field.annotation) if field else None


def _bare(annotation: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    parts = [part for part in typing.get_args(annotation) if part is not type(None)]
    if len(parts) == 1 and type(None) in typing.get_args(annotation):
        return _bare(parts[0])
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


_EXPECTED = {
    "string_type": ("must be text", "Put it in quotes"),
    "int_type": ("must be a whole number", "Write it without quotes"),
    "bool_type": ("must be true or false", "Write it without quotes"),
    "model_type": ("must be a map", "Write `key: value` lines below it"),
    "mapping_type": ("must be a map", "Write `name: value` lines below it"),
    "dict_type": ("must be a map", "Write `name: value` lines below it"),
    "list_type": ("must be a list", "Write `[one, two]`, or `- one` lines below it"),
    "tuple_type": ("must be a list", "Write `[one, two]`, or `- one` lines below it"),
    "missing": ("is missing", "Add it"),
}
_LIMITS = {"greater_than_equal": ("ge", "must be at least"), "less_than_equal": ("le", "must be at most")}


def _findings(details: Mapping[str, Any], path: Path, model: type[BaseModel]) -> Iterator[Finding]:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "refused":
        yield from context["findings"]
    elif kind == "extra_forbidden":
        yield Finding((), "unknown key", _known_keys(model, path))
    elif kind == "literal_error":
        yield Finding((), f"must be {context['expected']}")
    elif kind in _LIMITS:
        limit, words = _LIMITS[kind]
        yield Finding((), f"{words} {context[limit]}")
    elif kind == "too_short":
        at_least = context["min_length"]
        yield Finding(
            (), f"must have at least {at_least} {'entry' if at_least == 1 else 'entries'}", "Add what is missing"
        )
    else:
        yield Finding((), *_EXPECTED.get(kind, (f"is not allowed ({kind})", "")))


def _known_keys(model: type[BaseModel], path: Path) -> str:
    known = keys_at(model, path[:-1]) or ()
    return suggestion(str(path[-1]), known) or f"Known here: {', '.join(known)}"

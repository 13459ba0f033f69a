"""Settings of products: what a profile may say about one, with a type, a default and a meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from mvpc.catalogue.kinds import Path, Presence, SettingName, Text, Url, Words, as_tuple
from mvpc.strict import Finding, Kind, StrictModel, refuse_all

Type = Literal["boolean", "integer", "text", "url", "path", "choice", "names", "paths", "urls"]

RESERVED = frozenset({"state", "version", "preferred", "autostart", "services", "smart_cards", "languages"})
"""What a profile may say about every product, and what templates know besides the settings."""

_TYPES: Mapping[str, Any] = {
    "boolean": bool,
    "integer": int,
    "text": Words,
    "url": Url,
    "path": Path,
    "names": Mapping[Words, Presence],
    "paths": Mapping[Path, Presence],
    "urls": Mapping[Words, Url | None],
}
"""`names` and `paths` switch entries on and off, `urls` gives each name an address (or null): what adds up is a map."""


class Setting(StrictModel):
    """One setting of a product."""

    type: Type
    """boolean, integer, text, url, path, choice, or a map keyed by name: names, paths, urls."""
    description: Words
    """What it does, in one sentence."""
    default: bool | int | str | Mapping[str, str] | None = None
    """Holds where no layer sets it; without one, the policy is left to the product."""
    choices: Annotated[tuple[Words, ...], BeforeValidator(as_tuple)] = ()
    """Values of a choice."""
    pattern: Text | None = None
    """Regular expression that a whole text must match, where it ends up in a place that not every text may be in."""
    minimum: int | None = None
    """Least value of an integer."""
    maximum: int | None = None
    """Greatest value of an integer."""

    @property
    def annotation(self) -> Any:
        """The Python type of its values; None always means that it is not set."""
        kind = Literal[self.choices] if self.type == "choice" else _TYPES[self.type]
        if self.type == "integer":
            kind = Annotated[int, Field(ge=self.minimum, le=self.maximum)]
        if self.pattern is not None:
            kind = Annotated[
                str, Kind("text of the form that the catalogue names", self.pattern, f"^(?:{self.pattern})$")
            ]
        return kind | None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        findings = []
        if self.pattern is not None and not (self.type == "text" and _compiles(self.pattern)):
            findings.append(Finding(("pattern",), "is no regular expression for a text", "Correct or remove it"))
            refuse_all(findings)
        if (self.type == "choice") != bool(self.choices):
            findings.append(Finding(("choices",), "belongs to type choice, and to no other", "Add or remove it"))
        elif not self._default_fits():
            findings.append(
                Finding(
                    ("default",), "is no value that a profile could give", "Look at type, choices, minimum and maximum"
                )
            )
        if self.type != "integer" and (self.minimum, self.maximum) != (None, None):
            findings.append(Finding(("type",), "has no minimum and maximum", "Only an integer has them"))
        refuse_all(findings)
        return self

    def _default_fits(self) -> bool:
        try:
            TypeAdapter(self.annotation, config={"strict": True}).validate_python(self.default)
        except ValidationError:
            return False
        return True


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def settings_model(settings: Mapping[str, Setting], extra: Mapping[str, Any]) -> type[StrictModel]:
    """The model of what a profile may say about a product: its own settings, and `extra` fields before them."""
    fields: dict[str, Any] = {
        name: (each.annotation, Field(each.default, description=each.description)) for name, each in settings.items()
    }
    return create_model("ProductChoice", __base__=_MadeModel, **extra, **fields)


class _MadeModel(StrictModel):
    # There is no source in which pydantic could look for docstrings, which takes it longer than all the rest.
    model_config = ConfigDict(use_attribute_docstrings=False)


def name_findings(settings: Mapping[SettingName, Setting]) -> list[Finding]:
    """Names of settings that mean something else already."""
    taken = [name for name in settings if name in RESERVED or hasattr(BaseModel, name)]
    return [Finding(("settings", name), "this name is taken by mvpc", "Use another one") for name in taken]

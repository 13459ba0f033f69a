"""Templates of pages: everything that comes from outside is made visible and escaped."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from mvpc.text import safe


@cache
def template(name: str) -> Template:
    """A template of this package."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def moment(at: datetime, like: datetime) -> str:
    """A time as pages show it, in the zone of another one."""
    return at.astimezone(like.tzinfo).strftime("%a %Y-%m-%d %H:%M")


def _visible(value: Any) -> Any:
    """Text from outside without control and bidi characters; autoescape follows."""
    return safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value

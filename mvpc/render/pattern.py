"""What laptops with the same settings share is rendered once, with places for what each has of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mvpc.keyfile import connection_uuid
from mvpc.model import Connection, File, Resource

HOSTNAME, UUID, ADDRESS, ADDRESS6, DEVICE_CERTIFICATE, HOST_CERTIFICATE = (
    f"\0{name}\0" for name in ("hostname", "uuid", "address", "address6", "device certificate", "host certificate")
)
"""Places, marked with a character that profiles and inventory refuse."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The resources of a component, for all laptops that are alike. Equal only to itself."""

    resources: tuple[Resource, ...]
    texts: tuple[str, ...]
    """Each of them as digests cover it."""
    own: tuple[int, ...]
    """Positions of those that have places."""

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Pattern:
        """The pattern that these resources are."""
        found = tuple(resources)
        own = tuple(position for position, part in enumerate(found) if _has_places(part))
        return cls(found, tuple(map(_text, found)), own)

    def fill(self, values: Mapping[str, str]) -> tuple[tuple[Resource, ...], str]:
        """The resources of one laptop, and their text as its digest covers it; `values` fill the places."""
        resources, texts = list(self.resources), list(self.texts)
        for position in self.own:
            resources[position] = _filled(resources[position], values)
            texts[position] = _text(resources[position])
        return tuple(resources), _joined(texts)


def _has_places(part: Resource) -> bool:
    return isinstance(part, File | Connection) and "\0" in part.content


def _filled(part: Resource, values: Mapping[str, str]) -> Resource:
    if isinstance(part, File):
        return replace(part, content=_with(part.content, values))
    assert isinstance(part, Connection)  # noqa: S101 - nothing else has places
    uuid = connection_uuid(values[HOSTNAME], part.id)
    return replace(part, uuid=uuid, content=_with(part.content, {**values, UUID: uuid}))


def _with(text: str, values: Mapping[str, str]) -> str:
    for place, value in values.items():
        text = text.replace(place, value)
    return text


def _text(part: Resource) -> str:
    """Kind and fields in the order of their definition; ten times as fast as asdict(), for a fleet."""
    return json.dumps([type(part).__name__, *(getattr(part, name) for name in part.__slots__)])


def _joined(texts: Iterable[str]) -> str:
    """What json.dumps() makes of the list of all."""
    return f"[{', '.join(texts)}]"

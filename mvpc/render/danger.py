"""The last look at what NetworkManager would accept without a word."""

from __future__ import annotations

from collections.abc import Iterable

from mvpc.errors import InputError, Problem
from mvpc.keyfile import lint
from mvpc.model import Connection, Device, Resource


class DangerousError(InputError):
    """A connection that NetworkManager would accept, and that would harm whoever uses it."""


def refuse_dangerous(device: Device, resources: Iterable[Resource]) -> None:
    """Raises DangerousError with everything that is dangerous in the connections of a laptop."""
    problems = [
        Problem(device.hostname, f"connection {part.id}: {complaint}", "Mend the profile; this is never rolled out")
        for part in resources
        if isinstance(part, Connection)
        for complaint in lint(part.content, mode="0600")
    ]
    if problems:
        raise DangerousError.of(problems)

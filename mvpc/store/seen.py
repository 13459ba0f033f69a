"""What probes and rollouts last learned of each laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, func, update

from mvpc.model import ComponentResult, Probe
from mvpc.store import tables
from mvpc.store.bulk import many, put
from mvpc.store.software import software_row
from mvpc.store.tables import table_of

_SEEN = table_of(tables.DeviceStateRow)
_COMPONENT = table_of(tables.ComponentStateRow)
_SOFTWARE = table_of(tables.SoftwareStateRow)
_SERVICE = table_of(tables.ServiceStateRow)


def note_software(connection: Connection, numbers: Mapping[str, int], probes: Sequence[Probe]) -> None:
    """Store what laptops said about their software; the last answer of one that gave none stays."""
    answered = [software_row(numbers[probe.device], probe) for probe in probes if probe.software]
    silent = [software_row(numbers[probe.device], probe) for probe in probes if not probe.software]
    put(connection, _SOFTWARE, answered)
    put(connection, _SOFTWARE, silent, only=("asked", "reach", "detail"))


def forget(connection: Connection, numbers: Sequence[int]) -> None:
    """Believe nothing any more of what these laptops said and proved."""
    gone = [{"of": number} for number in numbers]
    for table in (_SEEN, _COMPONENT, _SOFTWARE, _SERVICE):
        many(connection, delete(table).where(table.c.device == bindparam("of")), gone)


def forget_drift(connection: Connection, numbers: Mapping[str, int], results: Sequence[ComponentResult]) -> None:
    """A component that has just been converged no longer drifts."""
    drift = func.json_remove(_SEEN.c.drift, bindparam("path"))
    mended = [
        {"here": numbers[result.device], "path": f'$."{result.component}"'}
        for result in results
        if result.outcome.is_done
    ]
    many(connection, update(_SEEN).where(_SEEN.c.device == bindparam("here")).values(drift=drift), mended)

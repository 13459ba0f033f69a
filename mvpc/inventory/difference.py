"""What would change in the inventory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date

from mvpc.model import Device


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """One known device before and after."""

    before: Device
    after: Device

    @property
    def fields(self) -> dict[str, tuple[str, str]]:
        """Changed field -> (before, after) as text."""
        return changed_fields(self.before, self.after)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportDifference:
    """The inventory against what comes in."""

    new: tuple[Device, ...] = ()
    changed: tuple[DeviceChange, ...] = ()
    unchanged: tuple[Device, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything would change."""
        return bool(self.new or self.changed)


def difference(existing: Iterable[Device], incoming: Iterable[Device]) -> ImportDifference:
    """Sort incoming devices into new, changed and unchanged, in their order.

    A device is known by its number in the inventory, or else by its inventory number in any case.
    """
    known = tuple(existing)
    by_number = {device.number: device for device in known}
    by_name = {device.inventory_number.casefold(): device for device in known}
    new, changed, unchanged = [], [], []
    for device in incoming:
        before = by_number.get(device.number) or by_name.get(device.inventory_number.casefold())
        if before is None:
            new.append(device)
            continue
        after = replace(device, number=before.number)
        if after == before:
            unchanged.append(before)
        else:
            changed.append(DeviceChange(before, after))
    return ImportDifference(new=tuple(new), changed=tuple(changed), unchanged=tuple(unchanged))


def changed_fields(before: Device | None, after: Device) -> dict[str, tuple[str, str]]:
    """Changed field -> (before, after) as text; with nothing before, every field that is not empty."""
    found = {}
    for field in fields(Device):
        if field.name == "number":
            continue
        old = as_text(getattr(before, field.name)) if before else ""
        new = as_text(getattr(after, field.name))
        if old != new:
            found[field.name] = (old, new)
    return found


def as_text(value: str | date | None) -> str:
    """A field of a device as text: ISO dates, empty when there is none."""
    return "" if value is None else str(value)

"""What someone entered about devices, in a spreadsheet or on the command line, checked against all that is known."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from mvpc.errors import InputError, NotFoundError, Problem
from mvpc.inventory.cells import CellError, parse, shown
from mvpc.inventory.columns import REQUIRED
from mvpc.model import NEXT_STATES, Device, LifeCycle
from mvpc.organisation import Organisation

_EMPTY: Mapping[str, Any] = {
    "vendor": "",
    "model": "",
    "room": "",
    "address": "",
    "host_key": "",
    "delivered": None,
    "warranty_until": None,
}
"""What a device can do without."""

_NAMES = ("inventory_number", "hostname", "serial")
"""What only one device may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Texts about one device. A text that is empty says nothing: what is known stays."""

    where: str
    """Place for messages: `devices.csv:7`."""
    titles: Mapping[str, str]
    """Field -> what the person calls it, for every field that could be given here."""
    texts: Mapping[str, str]
    """Field -> text."""
    cleared: Collection[str] = ()
    """Fields whose value is taken away on purpose."""
    device: Device | None = None
    """The known device that it is about; None: the one with the inventory number in the texts, or a new one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What entries are checked against."""

    devices: tuple[Device, ...]
    organisation: Organisation
    on: date


def devices_of(entries: Iterable[Entry], known: Known, *, problems: Iterable[Problem] = ()) -> tuple[Device, ...]:
    """The devices as they will be, in the order of the entries.

    Raises:
        InputError: with the problems that the caller has already found and every problem of every entry.
    """
    by_number = {_folded(device.inventory_number): device for device in known.devices}
    values = _Values(known.organisation)
    read = [_read(entry, by_number, values) for entry in entries]
    for item in read:
        _check(item, known)
    _check_names(read, known.devices)
    found = [*problems, *(problem for item in read for problem in item.problems)]
    if found:
        raise InputError.of(found)
    return tuple(item.device for item in read)


def is_new(entry: Entry, known: Iterable[str]) -> bool:
    """Whether the entry is about none of the known inventory numbers (in lower case)."""
    return entry.device is None and _folded(entry.texts.get("inventory_number", "")) not in known


@dataclass(slots=True)
class _Read:
    """An entry on its way to a device."""

    entry: Entry
    before: Device | None
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def device(self) -> Device:
        return replace(self.before, **self.values) if self.before else Device(**self.values)

    def add(self, name: str, what: str, hint: str = "") -> None:
        title = self.entry.titles.get(name, name)
        self.problems.append(Problem(f"{self.entry.where}: {title}" if self.entry.where else title, what, hint))

    def changes(self, name: str) -> bool:
        """Whether the entry gives the field a value that it did not have."""
        return name in self.values and (self.before is None or getattr(self.before, name) != self.values[name])


@dataclass(slots=True)
class _Values:
    """What texts mean, each found out once: a large file says the same few things, or the same mistake, many times."""

    organisation: Organisation
    found: dict[tuple[str, str], Any] = field(default_factory=dict)

    def of(self, name: str, text: str) -> Any:
        """The value of a text; raises CellError."""
        key = (name, text)
        if key not in self.found:
            try:
                self.found[key] = self._look(name, text)
            except CellError as error:
                self.found[key] = error
        value = self.found[key]
        if isinstance(value, CellError):
            raise CellError(value.what, value.hint)  # anew: an exception raised again collects tracebacks
        return value

    def _look(self, name: str, text: str) -> Any:
        value = parse(name, text)
        try:
            if name == "authority":
                return self.organisation.authority(value).code
            if name == "site":
                return self.organisation.site(value).code
        except NotFoundError as error:
            raise CellError(error.problems[0].what, error.problems[0].hint) from error
        return value


def _read(entry: Entry, by_number: Mapping[str, Device], values: _Values) -> _Read:
    before = entry.device or by_number.get(_folded(entry.texts.get("inventory_number", "")))
    read = _Read(entry, before)
    for name, text in entry.texts.items():
        if not text:
            continue
        try:
            read.values[name] = values.of(name, text)
        except CellError as error:
            read.add(name, error.what, error.hint)
    for name in entry.cleared:
        if name in _EMPTY:
            read.values[name] = _EMPTY[name]
        else:
            read.add(name, "cannot be empty")
    if before is None:
        for name in REQUIRED:
            if name in entry.titles and not entry.texts.get(name):
                read.add(name, "is empty", "A new device needs it")
    return read


# --- against the organisation and the device's own past --------------------------------------


def _check(read: _Read, known: Known) -> None:
    if read.changes("authority"):
        _check_authority(read, known)
    _check_pair(read, known.organisation)
    before = read.before
    if before and read.changes("state") and read.values["state"] not in NEXT_STATES[before.state]:
        read.add("state", f"{read.values['state']} cannot follow {before.state}", _allowed(before.state))


def _check_authority(read: _Read, known: Known) -> None:
    """One that has been closed keeps the devices that it has, and gets no new ones."""
    try:
        known.organisation.period(read.values["authority"], known.on)
    except NotFoundError as error:
        read.add("authority", error.problems[0].what, error.problems[0].hint)


def _check_pair(read: _Read, organisation: Organisation) -> None:
    if not (read.changes("authority") or read.changes("site")):
        return
    authority = read.values.get("authority") or (read.before.authority if read.before else "")
    site = read.values.get("site") or (read.before.site if read.before else "")
    owner = organisation.authorities.get(authority)
    if owner and site and site not in owner.sites:
        hint = f"Its sites: {', '.join(owner.sites)}. Choose one, or add {site} in inventory/organisation.yml"
        read.add("site", f"{authority} has no site {site}", hint)


def _allowed(state: LifeCycle) -> str:
    steps = sorted(NEXT_STATES[state])
    return f"Allowed: {', '.join(steps)}" if steps else f"{state} is the end"


# --- against one another ---------------------------------------------------------------------


def _check_names(read: Sequence[_Read], devices: Iterable[Device]) -> None:
    """No two devices may have the same name afterwards. Devices may swap names within one input."""
    taken = dict(_names_that_stay(read, devices))
    first: dict[tuple[str, str], _Read] = {}
    for item in read:
        for name in _NAMES:
            if name not in item.values:
                continue
            key = (name, _folded(item.values[name]))
            owner = taken.get(key)
            if key in first:
                item.add(name, f"{shown(item.values[name])} was already given at {first[key].entry.where}")
            elif owner and (item.before is None or owner.number != item.before.number):
                item.add(name, f"{shown(item.values[name])} belongs to {owner.hostname}", _who(owner))
            else:
                first[key] = item


def _names_that_stay(read: Sequence[_Read], devices: Iterable[Device]) -> Iterator[tuple[tuple[str, str], Device]]:
    entered = {item.before.number: item for item in read if item.before}
    for device in devices:
        item = entered.get(device.number)
        for name in _NAMES:
            if not (item and item.changes(name)):
                yield (name, _folded(getattr(device, name))), device


def _who(device: Device) -> str:
    return f"That is inventory number {device.inventory_number}, serial {device.serial}, {device.state}"


def _folded(text: str) -> str:
    return text.casefold()

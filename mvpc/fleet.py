"""The fleet of one project as its edges see it: select laptops, compile them, and put a plan's subjects together.

Used by the command line and by the Ansible plugins. Reads files and the database; touches no laptop.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mvpc.errors import InputError, MvpcError, NotFoundError, Problem, SecretError
from mvpc.identity.given import given
from mvpc.model import Device, Filter, Identity, Plan, Ring, RoleRun
from mvpc.organisation import Organisation, Period, load_organisation
from mvpc.plan import Subject, Thoroughness, make_plan, not_managed
from mvpc.project import Project
from mvpc.rings import standing
from mvpc.secret import Secret, SecretFolder, invented
from mvpc.store.read import Reader

if TYPE_CHECKING:
    from mvpc.compile import Compiled, Compiler
    from mvpc.releases import Release
    from mvpc.settings import Profile, Profiles

_AS_NEEDED = Thoroughness()
_TRUST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which laptops are meant. What is empty rules nothing out; the rest must all hold."""

    ressort: str = ""
    authority: str = ""
    devices: tuple[str, ...] = ()
    """Hostnames, inventory numbers or serials, each possibly only its beginning."""

    def __str__(self) -> str:
        parts = [self.ressort.upper(), self.authority, *self.devices]
        return " ".join(part for part in parts if part) or "all"


class Fleet:
    """One project's laptops on one day."""

    def __init__(self, project: Project, *, on: date) -> None:
        self.project = project
        self.on = on

    @cached_property
    def organisation(self) -> Organisation:
        """Who belongs where."""
        return load_organisation(self.project.root)

    @cached_property
    def profiles(self) -> Profiles:
        """All profile layers."""
        from mvpc.settings import Profiles  # noqa: PLC0415 - loads pydantic, while the laptops are asked already

        return Profiles(self.project.root, admin=self.project.ssh_user)

    @property
    def secrets(self) -> Callable[[str], Secret]:
        """Resolves names of secrets; raises SecretError. A simulated fleet has invented ones."""
        return invented if self.project.chances else SecretFolder(self.project.secrets).resolve

    @cached_property
    def compiler(self) -> Compiler:
        """Makes bundles."""
        from mvpc.compile import Compiler  # noqa: PLC0415 - loads Jinja2, while the laptops are asked already
        from mvpc.render import Renderer  # noqa: PLC0415 - the same

        renderer = Renderer(
            catalogue=self.profiles.catalogue,
            secrets=self.secrets,
            digest_key=digest_key(self.project.make_state()),
            roles=self.profiles.roles,
            ansible=version("ansible-core") if self.profiles.roles else "",
            identities=self.identities,
            ssh_port=self.project.ssh_port,
        )
        return Compiler(self.profiles, renderer, self.release_of)

    @cached_property
    def releases(self) -> dict[str, Release]:
        """Versions that laptops of a ring get, by ring.

        Raises:
            InputError: with every problem of all release files.
        """
        from mvpc.releases import load_releases  # noqa: PLC0415 - loads pydantic, while the laptops are asked already

        rings = [ring.name for ring in self.project.rings]
        return load_releases(self.project.root, self.profiles.catalogue, rings)

    def ring_of(self, device: Device) -> str:
        """The ring whose release the laptop follows, whatever ring of a rollout it is in."""
        return standing(device.hostname, device.authority, self.project.rings)

    def release_of(self, device: Device) -> Release | None:
        """The versions that the laptop's ring gets; None: those of its mirror."""
        return self.releases.get(self.ring_of(device)) if self.releases else None

    @cached_property
    def identities(self) -> dict[str, Identity]:
        """Hostname -> what an enrolled laptop is given.

        Raises:
            InputError: a file in inventory/trust is no certificate.
        """
        folder = self.project.authorities
        if not folder.is_dir() or not self.project.database.is_file():
            return {}
        with Reader(self.project.database) as reader:
            issued = reader.current_certificates()
        return given(
            issued,
            device_authorities=(folder / "devices.pem").read_text(encoding="ascii"),
            user_authority=(folder / "ssh-users.pub").read_text(encoding="ascii").strip(),
            trusted=_trusted(self.project.trust),
        )

    def ressort_of(self, device: Device) -> str:
        """Code of the ressort that the laptop belongs to on the day; `none` when its authority was closed."""
        period = self._period(device)
        return period.ressort if period else "none"

    def operator_of(self, device: Device) -> str:
        """Code of who operates the laptop on the day; says so when nobody does."""
        period = self._period(device)
        return period.operator if period else f"nobody: {device.authority} was closed, move it"

    def _period(self, device: Device) -> Period | None:
        try:
            return self.organisation.period(device.authority, self.on)
        except NotFoundError:
            return None

    def select(self, selection: Selection) -> tuple[Device, ...]:
        """The laptops that are meant, by hostname.

        Raises:
            NotFoundError: a ressort, an authority or a device that is named does not exist.
        """
        with Reader(self.project.database) as reader:
            chosen = reader.devices(Filter(authorities=self._authorities(selection)))
            if not selection.devices:
                return chosen
            named = {reader.find(text).hostname for text in selection.devices}
        return tuple(device for device in chosen if device.hostname in named)

    def named(self, hostnames: Iterable[str]) -> tuple[Device, ...]:
        """The laptops with exactly these hostnames, by hostname; those that are gone are left out."""
        wanted = set(hostnames)
        with Reader(self.project.database) as reader:
            return tuple(device for device in reader.devices() if device.hostname in wanted)

    def compile(self, device: Device, recorded: Iterable[str] = ()) -> Compiled:
        """One laptop's bundle; raises InputError or SecretError.

        Args:
            device: the laptop.
            recorded: components that it had by our records. Roles among them that the profile does not name any more
                are taken off.
        """
        former = [name.removeprefix("local-") for name in recorded if name.startswith("local-")]
        return self.compiler.compile(device, self.ressort_of(device), former)

    def role_runs(self, device: Device) -> tuple[RoleRun, ...]:
        """The site's own roles that the laptop's profile names; raises InputError."""
        from mvpc.render import role_runs  # noqa: PLC0415 - loads Jinja2

        return tuple(role_runs(self.profile_of(device).settings.local, self.profiles.roles))

    def profile_of(self, device: Device) -> Profile:
        """What the layers of the laptop say; raises InputError."""
        return self.profiles.of(
            workplace=device.workplace,
            ressort=self.ressort_of(device),
            authority=device.authority,
            hostname=device.hostname,
        )

    def subjects(self, devices: Sequence[Device]) -> list[Subject]:
        """Everything that a plan needs to know of each laptop, but what it says itself.

        Raises:
            InputError: with every problem of every laptop; nothing has been touched.
        """
        subjects, problems = self.sound_subjects(devices)
        if problems:
            raise InputError.of(problems)
        return subjects

    def sound_subjects(self, devices: Sequence[Device]) -> tuple[list[Subject], list[Problem]]:
        """What `subjects` returns of the laptops that nothing is wrong with, and every problem of the others, once."""
        with Reader(self.project.database) as reader:
            names = [device.hostname for device in devices]
            recorded, seen = reader.component_states(names), reader.device_states(names)
        subjects: list[Subject] = []
        problems: dict[Problem, None] = {}
        for device in devices:
            try:
                known = recorded.get(device.hostname, {})
                compiled = self.compile(device, known) if self.is_ours(device) else None
            except (InputError, SecretError) as error:
                problems.update(dict.fromkeys(error.problems))
                continue
            subjects.append(
                Subject(
                    device=device,
                    ressort=self.ressort_of(device),
                    operator=self.operator_of(device),
                    bundle=compiled.bundle if compiled else None,
                    sources=compiled.sources if compiled else {},
                    pins=compiled.pins if compiled else (),
                    recorded=known,
                    drift=seen[device.hostname].drift if device.hostname in seen else {},
                )
            )
        return subjects, list(problems)

    def plan(
        self,
        scope: str,
        subjects: Sequence[Subject],
        rings: Sequence[Ring] = (),
        thoroughness: Thoroughness = _AS_NEEDED,
    ) -> Plan:
        """The plan for these subjects; its scope says when they are simulated, wherever it is shown or kept.

        Args:
            scope: the selection in words.
            subjects: the laptops, compiled and perhaps asked.
            rings: other ones than those of the project.
            thoroughness: what is done beyond what is known to differ.
        """
        words = f"SIMULATED {scope}" if self.project.chances else scope
        return make_plan(words, subjects, rings or self.project.rings, thoroughness)

    def is_ours(self, device: Device) -> bool:
        """Whether the laptop runs Linux and belongs to an authority that this project operates."""
        period = self._period(device)
        return device.is_linux and period is not None and self.project.operator in {"", period.operator}

    def askable(self, devices: Iterable[Device]) -> tuple[Device, ...]:
        """Those that may be asked how they are: ours, in service, with a known SSH host key."""
        return tuple(device for device in devices if self.is_ours(device) and not not_managed(device))

    def _authorities(self, selection: Selection) -> frozenset[str] | None:
        wanted: frozenset[str] | None = None
        if selection.ressort:
            wanted = frozenset(self.organisation.authorities_of(selection.ressort, self.on))
        if selection.authority:
            code = self.organisation.authority(selection.authority).code
            wanted = frozenset({code}) if wanted is None else wanted & {code}
        return wanted


def _trusted(folder: Path) -> dict[str, str]:
    """Name -> PEM of every file in inventory/trust."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.pem")):
        place = f"inventory/trust/{path.name}"
        if not _TRUST_NAME.fullmatch(path.stem) or path.stem in {"device", "ca"}:
            raise InputError(
                "this name cannot be used on laptops", where=place, hint="Lower case, such as radius-ca.pem"
            )
        text = path.read_text(encoding="ascii", errors="replace")
        if "BEGIN CERTIFICATE" not in text or "PRIVATE KEY" in text:
            raise InputError("the file must hold certificates in PEM and nothing else", where=place)
        found[path.stem] = text
    return found


def digest_key(state: Path) -> bytes:
    """The key of this project's digests, made at first use. Without it every laptop counts as changed.

    Raises:
        MvpcError: the file cannot be read or written.
    """
    path = state / "digest.key"
    try:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(handle, "wb") as file:
            key = secrets.token_bytes(32)
            file.write(key)
        return key
    except OSError as error:
        raise MvpcError(f"the key of the digests cannot be used ({error.strerror})", where=str(path)) from error

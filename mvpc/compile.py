"""Compile: profiles and inventory in, one bundle for each laptop out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mvpc.catalogue import Product
from mvpc.errors import InputError
from mvpc.model import COMPONENTS, Bundle, Device, RoleRun, Scalar, Source
from mvpc.profiles import dotted, flatten
from mvpc.releases import Release
from mvpc.render import Renderer
from mvpc.settings import Profile, Profiles, Settings, secret_problems
from mvpc.software import Pin, pins
from mvpc.software.missing import missing_products


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """One laptop's bundle with the truth behind it."""

    bundle: Bundle
    settings: Settings
    sources: Mapping[str, Source]
    """Settings path -> the line that set it."""
    pins: Sequence[Pin] = ()
    """Packages that are held at an exact version."""


class Compiler:
    """Compiles laptops of one project. What laptops with the same layers share is worked out once."""

    def __init__(
        self, profiles: Profiles, renderer: Renderer, release_of: Callable[[Device], Release | None] = lambda _: None
    ) -> None:
        self._profiles = profiles
        self._renderer = renderer
        self._release_of = release_of
        self._stacks: dict[Profile, _Stack] = {}
        self._complete: set[tuple[Profile, str]] = set()

    def compile(self, device: Device, ressort: str, former_roles: Sequence[str] = ()) -> Compiled:
        """The bundle of one laptop; `former_roles` are roles of the site that it had.

        Raises:
            InputError: a layer, the catalogue or a setting is wrong, a secret is missing, or something does not fit
                this laptop.
        """
        profile = self._profiles.of(
            workplace=device.workplace, ressort=ressort, authority=device.authority, hostname=device.hostname
        )
        self._refuse_missing(device, profile)
        release = self._release_of(device)
        held = self._stack(profile).held(device, release)
        bundle = self._renderer.render(device, profile.settings, held.inputs, former_roles, release)
        return Compiled(bundle=bundle, settings=profile.settings, sources=held.sources, pins=held.pins)

    def _refuse_missing(self, device: Device, profile: Profile) -> None:
        if (profile, device.os) not in self._complete:
            if problems := tuple(missing_products(device, profile, self._profiles.catalogue)):
                raise InputError.of(problems)
            self._complete.add((profile, device.os))

    def _stack(self, profile: Profile) -> _Stack:
        if profile not in self._stacks:
            if problems := tuple(secret_problems(profile, self._renderer.secrets)):
                raise InputError.of(problems)
            self._stacks[profile] = _Stack(profile, self._renderer.catalogue)
        return self._stacks[profile]


@dataclass(frozen=True, slots=True)
class _Held:
    """What explains changes of laptops with the same layers, the same operating system and the same release."""

    pins: tuple[Pin, ...]
    inputs: Mapping[str, Mapping[str, Scalar]]
    """Component -> its settings as paths and values."""
    sources: Mapping[str, Source]
    """Settings path -> line."""


class _Stack:
    """What a plan needs to explain changes with: the same for all laptops with the same layers."""

    def __init__(self, profile: Profile, catalogue: Mapping[str, Product]) -> None:
        self._profile = profile
        self._catalogue = catalogue
        self._held: dict[tuple[str, Release | None], _Held] = {}

    def held(self, device: Device, release: Release | None) -> _Held:
        """With the versions of a release among the settings."""
        key = device.os, release
        if key not in self._held:
            found = tuple(pins(device, self._profile.settings, self._catalogue, release))
            lines = {each.path: each.source for each in found if each.source}
            versions = {each.path: each.version for each in found if each.source}
            software = {**self._inputs["software"], **versions}
            self._held[key] = _Held(found, {**self._inputs, "software": software}, {**self._sources, **lines})
        return self._held[key]

    @cached_property
    def _inputs(self) -> dict[str, dict[str, Scalar]]:
        merged, roles = self._profile.merged, self._profile.settings.local
        own = {RoleRun(role=name).component: flatten(merged, "local", name) for name in roles}
        return {name: flatten(merged, name) for name in COMPONENTS} | own

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {dotted(keys): origin.source for keys, origin in self._profile.merged.origins.items()}

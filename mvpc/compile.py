"""Compile: profiles and inventory in, one bundle for each laptop out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from mvpc.errors import InputError
from mvpc.model import COMPONENTS, Bundle, Device, RoleRun, Scalar, Source
from mvpc.profiles import Merged, dotted, flatten
from mvpc.render import Renderer
from mvpc.settings import Profile, Profiles, Settings, secret_problems
from mvpc.software.releases import missing_products


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """One laptop's bundle with the truth behind it."""

    bundle: Bundle
    settings: Settings
    sources: Mapping[str, Source]
    """Settings path -> the line that set it."""


class Compiler:
    """Compiles laptops of one project. What laptops with the same layers share is worked out once."""

    def __init__(self, profiles: Profiles, renderer: Renderer) -> None:
        self._profiles = profiles
        self._renderer = renderer
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
        stack = self._stack(profile)
        self._refuse_missing(device, profile)
        bundle = self._renderer.render(device, profile.settings, stack.inputs, former_roles)
        return Compiled(bundle=bundle, settings=profile.settings, sources=stack.sources)

    def _refuse_missing(self, device: Device, profile: Profile) -> None:
        if (profile, device.os) not in self._complete:
            if problems := tuple(missing_products(device, profile, self._profiles.catalogue)):
                raise InputError.of(problems)
            self._complete.add((profile, device.os))

    def _stack(self, profile: Profile) -> _Stack:
        if profile not in self._stacks:
            if problems := tuple(secret_problems(profile, self._renderer.secrets)):
                raise InputError.of(problems)
            self._stacks[profile] = _Stack(profile.merged, tuple(profile.settings.local))
        return self._stacks[profile]


class _Stack:
    """What a plan needs to explain changes with: the same for all laptops with the same layers."""

    def __init__(self, merged: Merged, roles: Sequence[str]) -> None:
        self._merged = merged
        self._roles = roles

    @cached_property
    def inputs(self) -> dict[str, dict[str, Scalar]]:
        """Component -> its settings as paths and values."""
        own = {RoleRun(role=name).component: flatten(self._merged, "local", name) for name in self._roles}
        return {name: flatten(self._merged, name) for name in COMPONENTS} | own

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Settings path -> line."""
        return {dotted(keys): origin.source for keys, origin in self._merged.origins.items()}

"""Settings and device in, bundle out: exactly what one laptop should be, as plain data.

Nothing here reads the network, the clock or the database, so the same input always gives the same bundle.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from mvpc.catalogue import Product
from mvpc.localroles import LocalRole
from mvpc.model import Bundle, Component, Device, Identity, Scalar
from mvpc.releases import Release
from mvpc.render import base, identity, local, software, vpn, wifi
from mvpc.render.danger import refuse_dangerous
from mvpc.render.local import role_runs
from mvpc.render.pattern import HOSTNAME, Pattern
from mvpc.secret import Secret
from mvpc.settings import Settings

__all__ = ["Renderer", "role_runs"]

_Likeness = tuple[Settings, str, "tuple[object, ...] | None", "Release | None"]
"""Laptops are alike that have the same settings, operating system and release, and must know the same authorities."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Renderer:
    """What all bundles of one fleet are made with."""

    catalogue: Mapping[str, Product]
    secrets: Callable[[str], Secret]
    """Resolves a secret reference; called once for each reference and settings."""
    digest_key: bytes
    """Keeps digests, which cover secrets and are stored, from being guessed at."""
    roles: Mapping[str, LocalRole] = field(default_factory=dict)
    """The site's own roles by name."""
    ansible: str = ""
    """Version of ansible-core that runs them."""
    identities: Mapping[str, Identity] = field(default_factory=dict)
    """Hostname -> what an enrolled laptop is given."""
    ssh_port: int = 22
    """Where the sshd of laptops listens."""
    _known_roles: dict[tuple[Settings, tuple[str, ...]], tuple[Component, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _patterns: dict[_Likeness, dict[str, Pattern]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Component -> what laptops that are alike share of it, in the order of the components."""
    _whole: dict[Pattern, Component] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Components in which no laptop has anything of its own."""

    def render(
        self,
        device: Device,
        settings: Settings,
        inputs: Mapping[str, Mapping[str, Scalar]],
        former_roles: Sequence[str] = (),
        release: Release | None = None,
    ) -> Bundle:
        """The bundle of one laptop.

        Args:
            device: the laptop; its `number` gives it its address in the VPN.
            settings: the validated truth for it.
            inputs: component -> the settings it is made from, as paths and values: the same for laptops that are alike.
            former_roles: roles of the site that the laptop had.
            release: the versions that its ring gets.

        Raises:
            SecretError: a secret cannot be resolved.
            InputError: the settings do not fit this laptop.
        """
        base.refuse_lock_out(device, settings.base)
        own = self.identities.get(device.hostname)
        values = {HOSTNAME: device.hostname, **vpn.own(device, settings.vpn, own), **(identity.own(own) if own else {})}
        if own:
            inputs = {**inputs, **_inputs_of(own, settings, inputs)}
        components = (
            self._component(name, pattern, values, inputs.get(name, {}))
            for name, pattern in self._patterns_of(device, settings, own, release).items()
        )
        return Bundle(device=device.hostname, components=(*components, *self._roles(settings, inputs, former_roles)))

    def _patterns_of(
        self, device: Device, settings: Settings, own: Identity | None, release: Release | None
    ) -> dict[str, Pattern]:
        likeness = settings, device.os, identity.shared(own) if own else None, release
        if likeness not in self._patterns:
            found = {
                "base": base.resources(device, settings.base),
                **({"identity": identity.resources(own)} if own else {}),
                "vpn": vpn.resources(device, settings.vpn, own, self.ssh_port),
                "wifi": wifi.resources(settings.wifi, self.secrets),
                "software": software.resources(device, settings, self.catalogue, release),
            }
            refuse_dangerous(device, chain.from_iterable(found.values()))
            self._patterns[likeness] = {name: Pattern.of(parts) for name, parts in found.items()}
        return self._patterns[likeness]

    def _component(
        self, name: str, pattern: Pattern, values: Mapping[str, str], inputs: Mapping[str, Scalar]
    ) -> Component:
        if pattern in self._whole:
            return self._whole[pattern]
        resources, text = pattern.fill(values)
        made = Component(name=name, digest=self._digest(text), resources=resources, inputs=inputs)
        if not pattern.own:
            self._whole[pattern] = made
        return made

    def _roles(
        self, settings: Settings, inputs: Mapping[str, Mapping[str, Scalar]], former: Sequence[str]
    ) -> tuple[Component, ...]:
        """The same for all laptops with the same settings, and not cheap: a role has many files."""
        key = settings, tuple(former)
        if key not in self._known_roles:
            self._known_roles[key] = tuple(self._make_roles(settings, inputs, former))
        return self._known_roles[key]

    def _make_roles(
        self, settings: Settings, inputs: Mapping[str, Mapping[str, Scalar]], former: Sequence[str]
    ) -> Iterator[Component]:
        for run in local.role_runs(settings.local, self.roles, former):
            role = self.roles.get(run.role)
            yield Component(
                name=run.component,
                digest=self._digest(json.dumps(local.essence(run, role, self.ansible))),
                resources=(),
                inputs=local.inputs(run, role, self.ansible, inputs.get(run.component, {})),
                role=run,
            )

    def _digest(self, text: str) -> str:
        return hmac.digest(self.digest_key, text.encode(), hashlib.sha256).hex()


def _inputs_of(
    own: Identity, settings: Settings, inputs: Mapping[str, Mapping[str, Scalar]]
) -> dict[str, Mapping[str, Scalar]]:
    """Component -> the settings of an enrolled laptop, where its certificates are among them."""
    found: dict[str, Mapping[str, Scalar]] = {"identity": own.inputs}
    if settings.vpn.provider == "ikev2":
        found["vpn"] = {**inputs.get("vpn", {}), "vpn.certificate": own.serial[:16]}
    return found

"""Settings and device in, bundle out: exactly what one laptop should be, as plain data.

Nothing here reads the network, the clock or the database, so the same input always gives the same bundle.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mvpc.catalogue import Product
from mvpc.localroles import LocalRole
from mvpc.model import Bundle, Component, Device, Identity, Resource, Scalar
from mvpc.render import base, identity, local, software, vpn, wifi
from mvpc.render.local import role_runs
from mvpc.secret import Secret
from mvpc.settings import Settings

__all__ = ["Renderer", "role_runs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Renderer:
    """What all bundles of one fleet are made with."""

    catalogue: Mapping[str, Product]
    secrets: Callable[[str], Secret]
    """Resolves a secret reference; called once for each reference and device."""
    digest_key: bytes
    """Keeps digests, which cover secrets and are stored, from being guessed at."""
    roles: Mapping[str, LocalRole] = field(default_factory=dict)
    """The site's own roles by name."""
    ansible: str = ""
    """Version of ansible-core that runs them."""
    identities: Mapping[str, Identity] = field(default_factory=dict)
    """Hostname -> what an enrolled laptop is given."""
    _known_roles: dict[tuple[Settings, tuple[str, ...]], tuple[Component, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _software: dict[tuple[Settings, str], tuple[Resource, ...]] = field(default_factory=dict, init=False, repr=False)
    """What laptops with the same settings and the same release share."""

    def render(
        self,
        device: Device,
        settings: Settings,
        inputs: Mapping[str, Mapping[str, Scalar]],
        former_roles: Sequence[str] = (),
    ) -> Bundle:
        """The bundle of one laptop.

        Args:
            device: the laptop; its `number` gives it its address in the VPN.
            settings: the validated truth for it.
            inputs: component -> the settings it is made from, as paths and values.
            former_roles: roles of the site that the laptop had.

        Raises:
            SecretError: a secret cannot be resolved.
            InputError: the settings do not fit this laptop.
        """
        own = self.identities.get(device.hostname)
        if own:
            inputs = {**inputs, "identity": own.inputs}
            if settings.vpn.provider == "ikev2":
                inputs["vpn"] = {**inputs.get("vpn", {}), "vpn.certificate": own.serial[:16]}
        resources = {
            "base": base.resources(device, settings.base),
            **({"identity": identity.resources(own)} if own else {}),
            "vpn": vpn.resources(device, settings.vpn, own),
            "wifi": wifi.resources(device, settings.wifi, self.secrets),
            "software": self._software_of(device, settings),
        }
        return Bundle(
            device=device.hostname,
            components=(
                *(
                    Component(
                        name=name,
                        digest=self._digest([_plain(part) for part in parts]),
                        resources=parts,
                        inputs=inputs.get(name, {}),
                    )
                    for name, parts in resources.items()
                ),
                *self._roles(settings, inputs, former_roles),
            ),
        )

    def _software_of(self, device: Device, settings: Settings) -> tuple[Resource, ...]:
        key = settings, device.os
        if key not in self._software:
            self._software[key] = software.resources(device, settings, self.catalogue)
        return self._software[key]

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
                digest=self._digest(local.essence(run, role, self.ansible)),
                resources=(),
                inputs=local.inputs(run, role, self.ansible, inputs.get(run.component, {})),
                role=run,
            )

    def _digest(self, plain: object) -> str:
        text = json.dumps(plain, ensure_ascii=True)
        return hmac.new(self.digest_key, text.encode(), hashlib.sha256).hexdigest()


def _plain(part: Resource) -> list[object]:
    """Kind and fields in the order of their definition; ten times as fast as asdict(), for a fleet."""
    return [type(part).__name__, *(getattr(part, name) for name in part.__slots__)]

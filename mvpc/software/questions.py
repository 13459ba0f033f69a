"""What software a laptop shall have, and what it is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mvpc.catalogue import FlatpakProduct, PackagedProduct, Product, Program, Verify, WebService
from mvpc.model import Device
from mvpc.releases import Release
from mvpc.settings import Settings, present
from mvpc.software.versions import version_key
from mvpc.strict import StrictModel


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareQuestion:
    """What one laptop is asked."""

    packages: tuple[str, ...] = ()
    """Names of packages; none means everything that is installed, Flatpaks too."""
    flatpaks: tuple[str, ...] = ()
    """Names of applications."""
    checks: Mapping[str, tuple[Verify, ...]] = field(default_factory=dict)
    """Product -> commands that show that it works."""


class ServiceQuestion(StrictModel):
    """What one laptop is asked about one central service."""

    product: str
    name: str
    """As people know it."""
    url: str
    statuses: tuple[int, ...]
    """HTTP status codes that mean: it is there."""
    certificates: tuple[str, ...]
    """Files on the laptop with authorities that are believed beside those of the system."""
    smart_card: bool
    """Whether it may ask for the certificate of a card."""
    seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """What one laptop is asked besides how it is; what is None is not asked."""

    software: SoftwareQuestion | None = None
    services: tuple[ServiceQuestion, ...] | None = None
    """Central services of its profile; of which there may be none."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> exact version: whether it can get those that it does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """One product that the profile of a laptop chose."""

    product: Program
    packages: tuple[str, ...] = ()
    """Every package that must be there; of a Flatpak its application."""
    versioned: tuple[str, ...] = ()
    """Those whose version counts as the product's."""
    version: str = ""
    """Exact version that is wanted; empty when any is."""

    @property
    def can_be_held(self) -> bool:
        """Whether it can have an exact version. A Flatpak has the newest state of its branch."""
        return isinstance(self.product, PackagedProduct)


def wishes(
    device: Device, settings: Settings, catalogue: Mapping[str, Product], release: Release | None = None
) -> dict[str, Wish]:
    """Product -> what is wanted of it on a laptop. Services of the web and kits are not installed, and left out.

    Args:
        device: the laptop.
        settings: the validated truth for it.
        catalogue: all products.
        release: says the version where the profile pins none.
    """
    found = {}
    for name, choice in sorted(settings.software.items()):
        product = catalogue[name]
        if choice.state == "present" and isinstance(product, PackagedProduct):
            versioned = product.pinned(device.os)
            held = release.of(device.os, name) if release else {}
            released = min((held[each] for each in versioned if each in held), key=version_key, default="")
            found[name] = Wish(
                product=product,
                packages=product.packages_for(device.os, present(settings.base.languages)),
                versioned=versioned,
                version=choice.version.get(device.os) or released,
            )
        elif choice.state == "present" and isinstance(product, FlatpakProduct):
            found[name] = Wish(product=product, packages=(product.app,), versioned=(product.app,))
    return found


def question(device: Device, settings: Settings, catalogue: Mapping[str, Product]) -> SoftwareQuestion:
    """What a laptop is asked: packages of all products, chosen or not, and whether the chosen ones work."""
    wanted = wishes(device, settings, catalogue)
    known = [each for each in catalogue.values() if isinstance(each, PackagedProduct)]
    names = {name for each in known for name in each.packages_for(device.os)}
    apps = {each.app for each in catalogue.values() if isinstance(each, FlatpakProduct)}
    names |= {name for wish in wanted.values() for name in wish.packages} - apps
    return SoftwareQuestion(
        packages=tuple(sorted(names)),
        flatpaks=tuple(sorted(apps)),
        checks={name: wish.product.verify for name, wish in wanted.items()},
    )


def service_questions(settings: Settings, catalogue: Mapping[str, Product]) -> tuple[ServiceQuestion, ...]:
    """What a laptop is asked about the central services that its profile chose."""
    found = []
    for name, choice in sorted(settings.software.items()):
        service = catalogue[name]
        if choice.state == "present" and isinstance(service, WebService):
            found.append(
                ServiceQuestion(
                    product=name,
                    name=service.name,
                    url=service.asked_at(choice.settings["url"]),
                    statuses=service.reach_status,
                    certificates=service.certificates,
                    smart_card=service.smart_card,
                    seconds=service.reach_seconds,
                )
            )
    return tuple(found)

"""The profiles of all devices: one merge and one validation per distinct stack of layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mvpc.catalogue import Product, load_catalogue
from mvpc.localroles import LocalRole, load_local_roles
from mvpc.profiles import Layers, Merged
from mvpc.settings.models import Settings
from mvpc.settings.validation import validate


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What one stack of layers says: with places, and as checked settings."""

    merged: Merged
    settings: Settings


class Profiles:
    """The profiles of one project folder. Devices with the same layers share one Profile object.

    Files are read once, at first use: make a new object to see later changes.
    """

    def __init__(self, root: Path, *, admin: str = "mvpc-admin") -> None:
        self.layers = Layers(root)
        self.admin = admin
        self._catalogue: dict[str, Product] | None = None
        self._roles: dict[str, LocalRole] | None = None
        self._profiles: dict[tuple[str, ...], Profile] = {}

    @property
    def catalogue(self) -> dict[str, Product]:
        """Software by product name; raises InputError with every problem of all its files."""
        if self._catalogue is None:
            self._catalogue = load_catalogue(self.layers.root)
        return self._catalogue

    @property
    def roles(self) -> dict[str, LocalRole]:
        """The site's own roles by name; raises InputError with every problem of all of them."""
        if self._roles is None:
            self._roles = load_local_roles(self.layers.root)
        return self._roles

    def of(self, *, workplace: str, ressort: str, authority: str, hostname: str) -> Profile:
        """The profile of one device; raises InputError with every problem of its layers."""
        return self.of_stack(
            self.layers.stack(workplace=workplace, ressort=ressort, authority=authority, hostname=hostname)
        )

    def of_stack(self, files: tuple[str, ...]) -> Profile:
        """The profile of one stack of layer files, as `Layers.stack` gives it."""
        if files not in self._profiles:
            merged = self.layers.merged(files)
            settings = validate(merged, catalogue=self.catalogue, roles=self.roles, admin=self.admin)
            self._profiles[files] = Profile(merged, settings)
        return self._profiles[files]

"""Everything that decides what is built, but for the versions in the archive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from mvpc.images.archive import Archive, archives
from mvpc.images.definition import ImageDefinition
from mvpc.images.system import files

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A definition with what the controller adds to it."""

    definition: ImageDefinition
    sources: tuple[Archive, ...]
    architecture: str
    """Debian's name of it: `amd64`."""

    @property
    def digest(self) -> str:
        """The fingerprint that tells whether an image must be built again."""
        content = {
            "format": FORMAT,
            "architecture": self.architecture,
            # A desk is in the files, and a desktop is its packages.
            "definition": self.definition.model_dump(mode="json", exclude={"desk", "desktop"})
            | {"packages": self.definition.all_packages},
            "sources": [asdict(source) for source in self.sources],
            "files": files(self.definition, self.sources),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def recipe_for(definition: ImageDefinition, *, targets: Iterable[str], architecture: str) -> Recipe:
    """The recipe on a controller with these apt targets (`URI SUITE COMPONENT`); raises LabError without an archive."""
    return Recipe(definition=definition, sources=archives(definition, targets), architecture=architecture)

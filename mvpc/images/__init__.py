"""Image definitions and the root file systems built from them.

    definition = load_definition(project.root / "images" / "standard")
    image = build(definition, project.images / definition.name, on_step=print)

An image is a folder that holds `rootfs/` and `image.json`. It holds no host keys, no machine id, no
passwords and no keys of people: each laptop makes its own identity at its first boot.
"""

from __future__ import annotations

from mvpc.images.archive import Archive
from mvpc.images.build import Image, build, find_image
from mvpc.images.controller import missing_requirements
from mvpc.images.definition import Account, ImageDefinition, load_definition
from mvpc.images.packages import installed_packages

__all__ = [
    "Account",
    "Archive",
    "Image",
    "ImageDefinition",
    "build",
    "find_image",
    "installed_packages",
    "load_definition",
    "missing_requirements",
]

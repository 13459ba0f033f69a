"""What is installed in an image."""

from __future__ import annotations

import subprocess

from mvpc.errors import LabError
from mvpc.images.build import Image
from mvpc.model import InstalledPackage

_LAYOUT = "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"


def installed_packages(image: Image) -> tuple[InstalledPackage, ...]:
    """Everything that the dpkg database of its root file system holds; raises LabError when it cannot be read."""
    database = image.rootfs / "var/lib/dpkg"
    argv = ["dpkg-query", f"--admindir={database}", "--show", f"--showformat={_LAYOUT}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        hint = f"Build it again: mvpc image build --force {image.name}"
        raise LabError("the packages of the image cannot be read", where=str(database), hint=hint) from error
    rows = [line.split() for line in done.stdout.splitlines()]
    return tuple(InstalledPackage(*row[1:]) for row in rows if len(row) == 4 and row[0] == "installed")

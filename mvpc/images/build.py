"""Build a root file system: complete or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from mvpc.errors import LabError, NotFoundError
from mvpc.images.controller import apt_targets, architecture, check_requirements
from mvpc.images.definition import ImageDefinition
from mvpc.images.mmdebstrap import bootstrap
from mvpc.images.recipe import FORMAT, Recipe, recipe_for
from mvpc.images.system import configure

RECORD = "image.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A built image: a folder with `rootfs/` and `image.json`."""

    name: str
    path: Path
    os: str
    """As in the inventory: `debian-13`."""
    digest: str
    """Fingerprint of the definition, the archives and mvpc's own files in it; not of the packages' versions."""

    @property
    def rootfs(self) -> Path:
        """The root file system. Only `build` writes to it."""
        return self.path / "rootfs"


def build(definition: ImageDefinition, target: Path, *, on_step: Callable[[str], None], force: bool = False) -> Image:
    """Build the image into the folder `target`, which changes only when the new one is complete.

    Does nothing when an image of the same digest is there, unless `force`: then it is built again, which brings
    newer package versions. Takes half a minute and 300 MB. Needs root and network.

    Raises:
        LabError: a requirement is missing, the image is in use, another build is running, or mmdebstrap failed.
    """
    check_requirements()
    recipe = recipe_for(definition, targets=apt_targets(), architecture=architecture())
    image = Image(name=definition.name, path=target, os=definition.os, digest=recipe.digest)
    # Not under the lock: many may ask at the same time for what is there.
    if not force and _built_digest(target) == image.digest:
        on_step(f"image {image.name} is up to date")
        return image
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(_beside(target, "lock")):
        _refuse_mounted(target)
        building = _beside(target, "building")
        _remove(building)
        try:
            _make(building, image, recipe, on_step=on_step)
            _replace(target, building)
        finally:
            _remove(building)
    on_step(f"image {image.name} is ready")
    return image


def find_image(target: Path) -> Image:
    """The image in the folder `target`; raises NotFoundError when none was built there."""
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        return Image(name=record["name"], path=target, os=record["os"], digest=record["digest"])
    except (OSError, ValueError, KeyError) as error:
        hint = f"Build it: mvpc image build {target.name}"
        raise NotFoundError(f"the image {target.name} has not been built", where=str(target), hint=hint) from error


def _make(building: Path, image: Image, recipe: Recipe, *, on_step: Callable[[str], None]) -> None:
    definition = recipe.definition
    on_step(f"image {image.name}: Debian {definition.suite} from {recipe.sources[0].uri}; this takes a minute or two")
    building.mkdir(mode=0o755)
    bootstrap(recipe, building / "rootfs", log=_beside(image.path, "log"))
    on_step(f"image {image.name}: accounts and settings")
    configure(building / "rootfs", definition, recipe.sources)
    record = {
        "format": FORMAT,
        "name": image.name,
        "os": image.os,
        "digest": image.digest,
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": [asdict(source) for source in recipe.sources],
    }
    (building / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _beside(target: Path, what: str) -> Path:
    return target.parent / f".{target.name}.{what}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise LabError("this image is being built already", where=str(path), hint="Wait for the other build") from error
    finally:
        os.close(descriptor)


def _built_digest(target: Path) -> str:
    try:
        return find_image(target).digest
    except NotFoundError:
        return ""


def _refuse_mounted(target: Path) -> None:
    """Laptops read the image through an overlay, whose behaviour is undefined when it changes below them."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    if f"lowerdir={target.resolve() / 'rootfs'}," in mounts:
        hint = "Stop the laptops that use it first: mvpc lab down"
        raise LabError(f"the image {target.name} is in use", where=str(target), hint=hint)


def _replace(target: Path, building: Path) -> None:
    old = _beside(target, "old")
    _remove(old)
    if target.exists():
        target.rename(old)
    building.rename(target)
    _remove(old)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    if f" {folder}/" in mounts:
        # Deleting through a mount would delete what is mounted there.
        raise LabError("something is still mounted below a left-over build", where=str(folder), hint="Unmount it")
    shutil.rmtree(folder)

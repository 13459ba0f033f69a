"""Releases: `profiles/releases/<ring>.yml`, the versions that laptops of one ring get since another ring proved them.

A laptop follows the ring of `mvpc.toml` that names it or its authority, and the last ring where none does. Without a
file for its ring it has whatever its mirror has.
"""

from __future__ import annotations

from mvpc.releases.reading import FOLDER, load_releases
from mvpc.releases.release import Proved, Release, ReleaseFile, Versions
from mvpc.releases.writing import release_text

__all__ = ["FOLDER", "Proved", "Release", "ReleaseFile", "Versions", "load_releases", "release_text"]

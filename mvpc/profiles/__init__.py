"""Profiles: find the layers of a device, merge them with one rule, and know for every value where it came from.

The rule: maps merge, everything else replaces. What must accumulate is therefore a map keyed by name. A layer may
lock paths (`lock: [base.ssh]`); layers below it may not set them.
"""

from __future__ import annotations

from mvpc.profiles.layers import FOLDER, KINDS, Codes, Layers, is_note, read_layer
from mvpc.profiles.merging import Layer, Merged, flatten, merge
from mvpc.profiles.paths import Keys, covers, dotted, in_order, suggestion
from mvpc.profiles.stray import stray_files

__all__ = [
    "FOLDER",
    "KINDS",
    "Codes",
    "Keys",
    "Layer",
    "Layers",
    "Merged",
    "covers",
    "dotted",
    "flatten",
    "in_order",
    "is_note",
    "merge",
    "read_layer",
    "stray_files",
    "suggestion",
]

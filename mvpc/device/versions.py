"""How a laptop's answer about exact versions is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parse_on_offer(data: Any, wanted: Mapping[str, str]) -> Mapping[str, bool] | None:
    """Package that must come -> whether its sources have that version; None when it could not tell. Trusts nothing.

    Raises:
        ValueError: with a short reason that quotes nothing of what the laptop said.
    """
    if data is None:
        return None
    if (
        not isinstance(data, dict)
        or not data.keys() <= wanted.keys()
        or not all(type(x) is bool for x in data.values())
    ):
        raise ValueError("versions: not whether packages that it was asked about are on offer")
    return data

"""What differs between the settings that a component was made from and those that it will be made from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mvpc.localroles import role_of
from mvpc.model import Edit, Scalar, Source


def edits(old: Mapping[str, Scalar], new: Mapping[str, Scalar], sources: Mapping[str, Source]) -> tuple[Edit, ...]:
    """Every setting that differs: what leaves the laptop first, since people most need to see that, then in order.

    Args:
        old: path -> value that it was made from.
        new: path -> value that it will be made from.
        sources: path -> the line that sets it now.
    """
    found = sorted(_edits(old, new, sources), key=lambda edit: not edit.removes)
    return tuple(found)


def _edits(old: Mapping[str, Scalar], new: Mapping[str, Scalar], sources: Mapping[str, Source]) -> Iterator[Edit]:
    had, has = _maps(old), _maps(new)
    for path, value in old.items():
        if path not in new:
            yield Edit(path=path, old=value, whole=_whole(path, has), words=_of_role(path, "lacks"))
    for path, value in new.items():
        before = old.get(path)
        if path not in old or before != value or type(before) is not type(value):
            whole = "" if path in old else _whole(path, had)
            words = _of_role(path, "changed" if path in old else "new")
            yield Edit(path=path, old=before, new=value, source=str(sources.get(path, "")), whole=whole, words=words)


def _of_role(path: str, how: str) -> str:
    """A changed file of a role in words; empty for settings."""
    found = role_of(path)
    return f"role {found[0]} {how}: {found[1]}" if found else ""


def _maps(paths: Iterable[str]) -> set[str]:
    """Everything that has settings below it, and the settings themselves."""
    return {prefix for path in paths for prefix in _prefixes(path)}


def _whole(path: str, other: set[str]) -> str:
    """The largest map around the path of which the other side has nothing; empty where that is the path itself."""
    if role_of(path):
        return ""
    outermost = next((prefix for prefix in _prefixes(path) if prefix not in other), path)
    return outermost if outermost != path else ""


def _prefixes(path: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.c` for `a.b.c`."""
    parts = path.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts) + 1))

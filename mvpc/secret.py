"""Secrets: references in profiles, values that mask themselves, and the folder they are read from."""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from mvpc.errors import SecretError

REFERENCE = re.compile(r"^[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*$")
"""Names of secrets: lower-case path segments, none of which can climb out of the folder."""


class Secret:
    """A value that only `reveal()` shows. `str()`, `repr()` and formatting show `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Call it only where a 0600 file or a digest is made."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def invented(reference: str) -> Secret:
    """A secret of a simulated fleet: as long as a good one, the same for the same name, and no secret at all."""
    return Secret(f"simulated-{hashlib.sha256(reference.encode()).hexdigest()[:32]}")


@dataclass(frozen=True, slots=True)
class SecretFolder:
    """Secrets as files, one per reference: `wifi/guest-psk` is the first line of `<folder>/wifi/guest-psk`."""

    folder: Path

    def resolve(self, reference: str) -> Secret:
        """Read one secret.

        Raises:
            SecretError: the name is not allowed, the file is missing, empty, or readable by others.
        """
        if not REFERENCE.fullmatch(reference):
            raise SecretError(f"secret name {reference!r} is not allowed", hint="Use lower-case words joined by /")
        path = self.folder / reference
        try:
            mode = path.stat().st_mode
            value = path.read_text(encoding="utf-8").split("\n", 1)[0]
        except OSError as error:
            raise SecretError(
                f"secret {reference} cannot be read ({error.strerror})",
                hint=f"Store it with: mvpc secret set {reference}",
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise SecretError(f"secret {reference} is readable by others", hint=f"Run: chmod 600 {path}")
        if not value:
            raise SecretError(f"secret {reference} is empty", hint=f"Store it with: mvpc secret set {reference}")
        return Secret(value)

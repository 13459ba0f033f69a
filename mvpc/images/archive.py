"""Where Debian packages come from: the image's own mirror, or else the one the controller's apt uses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mvpc.errors import LabError
from mvpc.images.definition import ImageDefinition

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_DATED = re.compile(r"/archive/(debian|debian-security)/\d{8}T\d{6}Z$")
"""snapshot-style archives: a date between the archive's name and its content."""

_OLD_OR_NEW = re.compile(r"^(oldoldstable|oldstable|stable|testing|bullseye|bookworm|trixie|forky|sid)(-security)?$")


@dataclass(frozen=True, slots=True)
class Archive:
    """One apt source."""

    uri: str
    suites: tuple[str, ...]
    component: str = "main"

    def stanza(self) -> str:
        """The source as a deb822 paragraph (sources.list(5))."""
        return (
            f"Types: deb\nURIs: {self.uri}\nSuites: {' '.join(self.suites)}\n"
            f"Components: {self.component}\nSigned-By: {KEYRING}\n"
        )

    def line(self, suite: str) -> str:
        """One suite as a one-line source, as mmdebstrap takes it."""
        return f"deb [signed-by={KEYRING}] {self.uri} {suite} {self.component}"


def archives(definition: ImageDefinition, targets: Iterable[str]) -> tuple[Archive, ...]:
    """The archives of an image. `targets` are `URI SUITE COMPONENT` lines of the controller's apt.

    Security updates are left out when neither the definition nor the controller knows where they are.

    Raises:
        LabError: the controller uses no Debian archive over HTTP and the definition names none.
    """
    main, security = _own(targets)
    main = definition.mirror or main
    security = definition.security_mirror or security
    if not main:
        raise LabError(
            "the controller's apt uses no Debian archive over http or https",
            where=f"images/{definition.name}/image.yml",
            hint="Name one there: mirror: https://apt.mv.example/debian",
        )
    suite = definition.suite
    found = [Archive(main, (suite, f"{suite}-updates"))]
    if security:
        found.append(Archive(security, (f"{suite}-security",)))
    return tuple(found)


def _own(targets: Iterable[str]) -> tuple[str, str]:
    """The controller's archive and security archive; empty where there is none.

    The controller may run an older release, and a dated archive ends before the image's suite began. So the date is
    cut off: the same host serves the living archive under the plain name.
    """
    main = security = ""
    for target in targets:
        uri, suite, component = target.split()
        matched = _OLD_OR_NEW.match(suite.replace("/updates", "-security"))
        if component != "main" or not matched or not uri.startswith(("http://", "https://")):
            continue
        living = _DATED.sub(r"/\1", uri.rstrip("/"))
        if matched[2]:
            security = security or living
        else:
            main = main or living
    return main, security

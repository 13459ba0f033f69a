"""What laptops say about their software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class InstalledPackage:
    """A package that is completely installed. A laptop may have one for two architectures."""

    name: str
    version: str
    architecture: str
    source: str = ""
    """The source package that it was built from; empty where nobody asked."""


@dataclass(frozen=True, slots=True, order=True)
class InstalledFlatpak:
    """A Flatpak that is there for everybody on a laptop: an application, or the runtime that one needs."""

    name: str
    version: str
    """As its makers call it; empty where they do not say."""
    commit: str
    """The beginning of the commit that it was deployed from, which no other state of the branch has."""
    architecture: str
    branch: str
    remote: str
    is_runtime: bool

    @property
    def state(self) -> str:
        """Version and commit, since one version can be built more than once: `1.2 (0123456789ab)`."""
        return f"{self.version} ({self.commit})" if self.version else f"commit {self.commit}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftwareAnswer:
    """What a laptop said about its software. Texts are as hostile as the laptop."""

    packages: tuple[InstalledPackage, ...]
    """Those that it was asked about and has."""
    checks: Mapping[str, str]
    """Product -> why it does not work, in one line; empty when all of its checks succeeded."""
    flatpaks: tuple[InstalledFlatpak, ...] = ()
    """Those that it was asked about and has."""


class Reachability(StrEnum):
    """Whether a central service answers a laptop, and if not, where the way ends."""

    REACHABLE = "reachable"
    NAME_UNKNOWN = "name-unknown"  #: the laptop's name servers do not know it, or do not answer
    NO_ROUTE = "no-route"  #: no way leads there: no network, or no tunnel
    REFUSED = "refused"  #: the machine is there, and nobody listens
    SILENT = "silent"  #: no answer in time
    UNTRUSTED = "untrusted"  #: its certificate is not trusted, has expired, or is another one's
    STATUS = "status"  #: it answered with a status code that does not mean: it is there
    BROKEN = "broken"  #: what answered speaks no HTTP or TLS that we understand
    UNASKED = "unasked"  #: the laptop could not ask


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAnswer:
    """What a laptop said about one central service."""

    product: str
    name: str
    """As people know it."""
    url: str
    """The address that was asked."""
    state: Reachability
    detail: str = ""
    """What there is to say beside the state: the status code, what is wrong with the certificate."""

    @property
    def is_reachable(self) -> bool:
        """Whether it answered."""
        return self.state is Reachability.REACHABLE

    @property
    def reason(self) -> str:
        """Why it is not reachable in a few words, the same for the same reason."""
        return f"answered {self.detail}" if self.state is Reachability.STATUS else _REASONS.get(self.state, "")

    @property
    def why(self) -> str:
        """The same with all that there is to say."""
        more = self.detail and self.state is not Reachability.STATUS
        return f"{self.reason} ({self.detail})" if more else self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceSeen(ServiceAnswer):
    """What we know of one central service on one laptop."""

    device: str
    at: datetime
    """When the laptop was last asked and answered."""
    since: datetime
    """When it was first found to be reachable, or first not to be, without a change in between."""


_REASONS = {
    Reachability.NAME_UNKNOWN: "name unknown",
    Reachability.NO_ROUTE: "no route",
    Reachability.REFUSED: "nobody listens there",
    Reachability.SILENT: "no answer",
    Reachability.UNTRUSTED: "certificate not trusted",
    Reachability.BROKEN: "no proper answer",
    Reachability.UNASKED: "the laptop could not ask",
}

"""What a file of the catalogue may say, by kind of product."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from mvpc.catalogue.kinds import (
    AppId,
    Branch,
    DesktopFile,
    FilePath,
    Function,
    IconName,
    Language,
    Licence,
    MimeTypes,
    PackageNames,
    Paths,
    Presence,
    ProductNames,
    Release,
    RemoteName,
    SettingName,
    Text,
    UnitNames,
    Url,
    Version,
    Words,
    as_tuple,
)
from mvpc.catalogue.settings import Setting, name_findings, settings_model
from mvpc.strict import Finding, StrictModel, refuse, refuse_all


def _by_release(value: Any) -> Any:
    if isinstance(value, str):
        raise refuse("must say for which release", 'Write version: {debian-13: "12.2.0-1"}')
    return value


Versions = Annotated[Mapping[Release, Version | None], BeforeValidator(_by_release)]
"""Release -> exact version."""


_STATE = "Whether laptops have it; nothing where a layer only gives it settings, for whoever chooses it."


class FileTemplate(StrictModel):
    """A file that carries a product's settings to the laptop. It goes when the product goes."""

    path: FilePath
    """Where it lies on the laptop."""
    format: Literal["json", "xml", "dconf", "plain"]
    """How values are written, so that none can break out of its place: JSON, XML, GVariant text, or as they are."""
    content: Text
    """A Jinja2 template. It knows the product's settings by name, `languages`, `services` and `smart_cards`."""


class Verify(StrictModel):
    """One command that shows that a product works, run on the laptop as an ordinary account without a screen."""

    argv: Annotated[tuple[Text, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    """Program and arguments; no shell."""
    exit: Annotated[int, Field(ge=0, le=255)] = 0
    """Exit code that it must end with."""
    output: Text | None = None
    """Regular expression that must be found in what it prints (standard output and standard error together)."""
    seconds: Annotated[int, Field(ge=1, le=300)] = 30
    """After so long it counts as failed."""

    @model_validator(mode="after")
    def _has_a_valid_pattern(self) -> Self:
        try:
            re.compile(self.output or "")
        except re.error:
            refuse_all([Finding(("output",), "is no regular expression", "Put special characters behind a backslash")])
        return self

    def accepts(self, code: int, output: str) -> bool:
        """Whether a run with this exit code and output shows that the product works."""
        return code == self.exit and (self.output is None or re.search(self.output, output, re.MULTILINE) is not None)


class Product(StrictModel):
    """What products of every kind say."""

    name: Words
    """Name as people know it."""
    description: Words
    """One sentence for the people who choose."""
    conflicts: ProductNames = ()
    """Products that cannot be chosen together with this one."""
    replaces: ProductNames = ()
    """Products that this one takes the place of: choosing it removes them. Files of people stay as they are."""
    requires: ProductNames = ()
    """Products that must be chosen as well."""

    @property
    def fields(self) -> dict[str, Any]:
        """What a profile may say about this product besides its settings, as fields of a model."""
        return {"state": (Presence | None, Field(None, description=_STATE))}

    @property
    def own_settings(self) -> Mapping[str, Setting]:
        """Its settings by name."""
        return {}

    @cached_property
    def choice_model(self) -> type[StrictModel]:
        """What a profile may say about this product."""
        return settings_model(self.own_settings, self.fields)

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        return {}


class Program(Product):
    """What products say that are installed on the laptop, from wherever they come."""

    function: Function
    """What it is for at a workplace."""
    licence: Licence
    """SPDX licence expression (spdx.org/licenses)."""
    source: Url
    """Where the product comes from: its own site."""
    units: UnitNames = ()
    """systemd units that must run where the product is present."""
    settings: Mapping[SettingName, Setting] = {}
    """What profiles may say about it."""
    files: Annotated[tuple[FileTemplate, ...], BeforeValidator(as_tuple)] = ()
    """Files that carry its settings to the laptop."""
    desktop: DesktopFile | None = None
    """Its entry in the menu of programs, which it brings along."""
    opens: MimeTypes = ()
    """Types of files and addresses that it opens."""
    autostart: bool = False
    """Whether it starts when somebody logs in, unless a profile says otherwise."""
    verify: Annotated[tuple[Verify, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    """How a laptop shows that it works; every command must succeed."""

    @property
    def own_settings(self) -> Mapping[str, Setting]:
        """Its settings by name."""
        return self.settings

    @property
    def fields(self) -> dict[str, Any]:
        """State, and whether it comes first and starts at log-in where that has a meaning."""
        fields = super().fields
        if self.desktop and self.opens:
            fields["preferred"] = bool | None, Field(None, description="Whether it opens its files before all others.")
        if self.desktop:
            start = Field(
                None, description="Whether it starts when somebody logs in; nothing means what the catalogue says."
            )
            fields["autostart"] = bool | None, start
        return fields

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        lists = {"units": self.units, "opens": self.opens}
        files = {f"files.{each.path}": f"content {_mark(each.content)}" for each in self.files}
        return {key: ", ".join(names) for key, names in lists.items()} | files

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        findings = name_findings(self.settings)
        if self.opens and not self.desktop:
            findings.append(Finding(("opens",), "needs desktop, the entry that opens them", "Add it"))
        if self.autostart and not self.desktop:
            findings.append(Finding(("autostart",), "needs desktop, the entry that is started", "Add it"))
        refuse_all(findings)
        return self


class PackagedProduct(Program):
    """A product made of packages of the distribution."""

    kind: Literal["package"] = "package"
    """package, flatpak, web or kit; package where nothing is written."""
    packages: PackageNames
    """Debian packages that make up the product."""
    releases: Mapping[Release, PackageNames] = {}
    """Releases on which the packages are called differently; an empty list means that it does not exist there."""
    locales: Mapping[Language, PackageNames] = {}
    """Packages of a language: translations, dictionaries, help. Laptops get those of `base.languages`."""
    pins: PackageNames = ()
    """Packages that a pinned version means, where not all of `packages` have the same one."""

    def packages_for(self, os: str, languages: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Package names on one operating system (`debian-13`), with those of the languages; none: not there."""
        base = self.releases.get(os, self.packages)
        locales = cast("Mapping[str, PackageNames]", self.locales)  # whoever asks may name any language
        return (*base, *(name for each in languages for name in locales.get(each, ()))) if base else ()

    def pinned(self, os: str) -> tuple[str, ...]:
        """Packages that a pinned version means on one operating system."""
        return self.pins or self.releases.get(os, self.packages)

    @property
    def fields(self) -> dict[str, Any]:
        """What every program has, and pinned versions."""
        pin: Any = Field({}, description="Exact version for each release that has one; nothing means the newest.")
        return {**super().fields, "version": (Versions, pin)}

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        lists = {"packages": self.packages}
        lists |= {f"releases.{release}": names for release, names in self.releases.items()}
        lists |= {f"locales.{language}": names for language, names in self.locales.items()}
        return {key: ", ".join(names) for key, names in lists.items()} | super().contents

    @model_validator(mode="after")
    def _pins_its_own_packages(self) -> Self:
        own = {*self.packages, *(name for each in self.releases.values() for name in each)}
        strangers = sorted({*self.pins} - own)
        if strangers:
            refuse_all([Finding(("pins",), f"{strangers[0]} is none of its packages", "Correct the name")])
        return self


class FlatpakProduct(Program):
    """A product that comes as a Flatpak from a remote of the profile (`base.flatpak`)."""

    kind: Literal["flatpak"]
    """package, flatpak, web or kit."""
    app: AppId
    """Name of the application; its menu entry is called so too."""
    remote: RemoteName
    """Remote of `base.flatpak.remotes` that it comes from."""
    branch: Branch = "stable"
    """Branch of the application that laptops follow."""

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        return {"app": self.app, "remote": self.remote, "branch": self.branch} | super().contents


class WebService(Product):
    """A central service that is used in the browser."""

    kind: Literal["web"]
    """package, flatpak, web or kit."""
    function: Function
    """What it is for at a workplace."""
    url: Url
    """Its address; a profile may give another one."""
    icon: IconName = "applications-internet"
    """Icon of its entry in the menu of programs: a name of the icon theme, or a path."""
    certificates: Paths = ()
    """Certificates of authorities that browsers must trust for it (files on the laptop)."""
    smart_card: bool = False
    """Whether people log in with a smart card."""
    reach: Url | None = None
    """Address that is asked to see whether the service can be reached; `url` where nothing is written."""
    reach_status: Annotated[tuple[int, ...], BeforeValidator(as_tuple)] = (200, 301, 302, 303, 307, 308, 401, 403)
    """HTTP status codes that mean: it is there. A page that asks for a log-in is."""
    reach_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    """After so long without an answer it counts as not reachable."""

    def asked_at(self, url: str) -> str:
        """Where one office's service is asked; `url` is the address that its profile gives."""
        return self.reach if self.reach and url == self.url else url

    @property
    def own_settings(self) -> Mapping[str, Setting]:
        """The address: offices may have their own."""
        return {"url": Setting(type="url", description="Address of the service.", default=self.url)}

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        return {"certificates": ", ".join(self.certificates), "icon": self.icon}


class Kit(Product):
    """A named set of products that are chosen together."""

    kind: Literal["kit"]
    """package, flatpak, web or kit."""
    products: ProductNames
    """Products that it brings; a profile can still switch off each of them."""

    @property
    def contents(self) -> dict[str, str]:
        """Everything that decides what lands on a laptop, by key of the file."""
        return {"products": ", ".join(self.products)}


KINDS: Mapping[str, type[Product]] = {
    "package": PackagedProduct,
    "flatpak": FlatpakProduct,
    "web": WebService,
    "kit": Kit,
}


def _mark(text: str) -> str:
    """A short mark by which two versions of a long text can be told apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from mvpc.catalogue import FlatpakProduct, Verify, load_catalogue
from mvpc.errors import InputError
from mvpc.model import File, Package, Resource, Unit
from mvpc.profiles import merge, read_layer
from mvpc.render.software import resources
from mvpc.settings import validate
from mvpc.testing import a_device

PROJECT = Path(__file__).parents[2]
HELLO = FlatpakProduct(
    name="Hello",
    description="Says hello.",
    kind="flatpak",
    function="office",
    licence="MIT",
    source="https://hello.mv.example/",
    app="example.mv.Hello",
    remote="mv",
    desktop="example.mv.Hello.desktop",
    opens=("text/plain",),
    autostart=True,
    verify=(Verify(argv=("flatpak", "info", "example.mv.Hello")),),
)
CATALOGUE = {**load_catalogue(PROJECT), "hello": HELLO}
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ9\nbXkga2V5\n=Ab1C\n-----END PGP PUBLIC KEY BLOCK-----\n"
REMOTES = {"remotes": {name: {"url": f"https://{name}.mv.example/", "key": KEY} for name in ("mv", "other")}}
FIREFOX = "/etc/firefox/policies/policies.json"


@pytest.fixture
def rendered(tmp_path: Path) -> Any:
    """Resources of the component for a profile that says this below `software`."""

    def render(software: dict[str, Any], *, os: str = "debian-13", **base: Any) -> tuple[Resource, ...]:
        layer = tmp_path / "base.yml"
        layer.write_text(yaml.safe_dump({"software": software, "base": base}), encoding="utf-8")
        settings = validate(merge([read_layer(layer, root=tmp_path)]), catalogue=CATALOGUE)
        return resources(a_device(os=os), settings, CATALOGUE)

    return render


def files(parts: tuple[Resource, ...]) -> dict[str, File]:
    return {part.path: part for part in parts if isinstance(part, File)}


def packages(parts: tuple[Resource, ...]) -> dict[str, Package]:
    return {part.name: part for part in parts if isinstance(part, Package)}


def policy(parts: tuple[Resource, ...], path: str = FIREFOX) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(parts)[path].content)["policies"]
    return found


# --- packages --------------------------------------------------------------------------------


def test_german_language_files_come_by_default_and_others_on_request(rendered: Any):
    assert "libreoffice-l10n-de" in packages(rendered({"libreoffice": "present"}))
    polish = packages(rendered({"libreoffice": "present"}, languages={"de": "absent", "pl": "present"}))
    assert "libreoffice-l10n-pl" in polish
    assert "libreoffice-l10n-de" not in polish


def test_a_dictionary_that_another_product_needs_stays_when_one_goes(rendered: Any):
    found = packages(rendered({"firefox": "present", "libreoffice": "absent"}))
    assert found["hunspell-de-de"].present
    assert not found["libreoffice-writer"].present


def test_the_account_that_checks_run_as_gets_a_name_where_there_is_something_to_check(rendered: Any):
    assert packages(rendered({"libreoffice": "present"}))["libnss-systemd"].present
    assert "libnss-systemd" not in packages(rendered({"libreoffice": "absent"}))


def test_a_replaced_product_is_removed(rendered: Any):
    found = packages(rendered({"evince": "present"}))
    assert (found["evince"].present, found["okular"].present) == (True, False)


def test_a_pinned_version_holds_against_unattended_upgrades(rendered: Any):
    found = rendered({"qpdf": {"state": "present", "version": {"debian-13": "12.2.0-1"}}})
    assert packages(found)["qpdf"].version == "12.2.0-1"
    pins = files(found)["/etc/apt/preferences.d/50-mvpc"].content
    assert "\nPackage: qpdf\nPin: version 12.2.0-1\nPin-Priority: 1001\n" in pins


def test_a_pin_of_another_release_means_nothing_here(rendered: Any):
    found = rendered({"qpdf": {"state": "present", "version": {"debian-12": "11.3.0-1"}}})
    assert packages(found)["qpdf"].version == ""
    assert "/etc/apt/preferences.d/50-mvpc" not in files(found)


# --- policies --------------------------------------------------------------------------------


def test_firefox_gets_homepage_proxy_and_extensions_and_people_cannot_change_them(rendered: Any):
    found = policy(
        rendered(
            {
                "firefox": {
                    "state": "present",
                    "homepage": "https://intranet.mv.example/",
                    "proxy": "automatic",
                    "proxy_script": "http://wpad.mv.example/proxy.pac",
                    "extensions": {"uBlock0@raymondhill.net": "https://apt.mv.example/ublock.xpi"},
                }
            }
        )
    )
    assert found["Homepage"] == {
        "URL": "https://intranet.mv.example/",
        "Locked": True,
        "StartPage": "homepage-locked",
    }
    assert found["Proxy"] == {
        "Mode": "autoConfig",
        "AutoConfigURL": "http://wpad.mv.example/proxy.pac",
        "Locked": True,
    }
    assert found["ExtensionSettings"]["uBlock0@raymondhill.net"]["installation_mode"] == "force_installed"
    assert found["ExtensionSettings"]["*"] == {"installation_mode": "blocked"}
    assert found["DisableTelemetry"] is True
    assert found["RequestedLocales"] == ["de"]


@pytest.mark.parametrize(
    ("product", "path", "known"),
    [
        ("firefox", FIREFOX, "langpack-de@firefox-esr.mozilla.org"),
        ("thunderbird", "/etc/thunderbird/policies/policies.json", "langpack-de@thunderbird.mozilla.org"),
    ],
)
def test_a_rule_against_extensions_spares_translations(rendered: Any, product: str, path: str, known: str):
    found = policy(rendered({product: "present"}), path)["ExtensionSettings"]
    assert found == {known: {"installation_mode": "allowed"}, "*": {"installation_mode": "blocked"}}


def test_firefox_shows_bookmarks_where_there_are_some_and_nobodys_advertisements(rendered: Any):
    with_service = policy(rendered({"firefox": "present", "cloud": "present"}))
    assert with_service["DisplayBookmarksToolbar"] == "always"
    assert with_service["FirefoxHome"]["SponsoredTopSites"] is False
    assert "DisplayBookmarksToolbar" not in policy(rendered({"firefox": "present"}))


def test_what_a_profile_does_not_set_is_left_to_the_program(rendered: Any):
    found = policy(rendered({"firefox": "present"}))
    assert not {"Homepage", "Certificates", "SecurityDevices"} & found.keys()
    assert found["Proxy"] == {"Mode": "system", "Locked": True}


def test_no_value_breaks_out_of_its_place(rendered: Any):
    name = 'A "quoted" \\ name {{ 7 * 7 }} </value>'
    found = policy(rendered({"firefox": {"state": "present", "bookmarks": {name: "https://x.example/"}}}))
    assert found["ManagedBookmarks"][1] == {"name": name, "url": "https://x.example/"}


@pytest.mark.parametrize(("chosen", "filter_"), [("odf", "writer8"), ("ooxml", "MS Word 2007 XML")])
def test_libreoffice_saves_in_the_format_of_the_profile_and_the_key_is_locked(rendered: Any, chosen: str, filter_: str):
    parts = rendered({"libreoffice": {"state": "present", "default_format": chosen}})
    text = files(parts)["/usr/lib/libreoffice/share/registry/mvpc-writer.xcd"].content
    key = next(each for each in ET.fromstring(text).iter("prop"))
    assert key.attrib["{http://openoffice.org/2001/registry}finalized"] == "true"
    assert key.findtext("value") == filter_


def test_libreoffice_also_starts_where_one_of_its_programs_is_not_installed(rendered: Any):
    found = files(rendered({"libreoffice": "present"}))
    texts = [file.content for path, file in found.items() if path.endswith(".xcd")]
    needs = [each.attrib for text in texts for each in ET.fromstring(text).iter("dependency")]
    assert [each["file"] for each in needs if each.get("optional") != "true"] == ["main"]


def test_desktop_rules_are_locked_and_compiled(rendered: Any):
    found = files(rendered({"desktop": {"state": "present", "lock_after_minutes": 5}}))
    rules = found["/etc/dconf/db/local.d/50-mvpc"]
    assert "idle-delay=uint32 300\n" in rules.content
    assert rules.notify == ("dconf",)
    assert "/org/gnome/desktop/session/idle-delay\n" in found["/etc/dconf/db/local.d/locks/50-mvpc"].content
    assert "system-db:local" in found["/etc/dconf/profile/user"].content


def test_text_becomes_a_string_of_gvariant(rendered: Any):
    found = files(rendered({"desktop": {"state": "present", "background": "/usr/share/mv.png"}}))
    assert "picture-uri='file:///usr/share/mv.png'\n" in found["/etc/dconf/db/local.d/50-mvpc"].content


def test_the_cloud_client_starts_with_the_server_of_the_profile(rendered: Any):
    found = files(rendered({"nextcloud": {"state": "present", "server": "https://cloud.mv.example/"}}))
    (line,) = [
        each
        for each in found["/etc/xdg/autostart/mvpc-nextcloud.desktop"].content.splitlines()
        if each.startswith("Exec=")
    ]
    argument = line.partition('"')[2].rpartition('"')[0].replace("\\\\", "\\")  # desktop-entry-spec: text, then quotes
    assert argument.replace('\\"', '"').replace("\\$", "$") == (
        "exec nextcloud --background --overrideserverurl 'https://cloud.mv.example/' "
        '--overridelocaldir "$HOME/Nextcloud"'
    )


def test_a_text_that_does_not_fit_its_place_is_refused(rendered: Any):
    with pytest.raises(InputError, match=r"software\.nextcloud\.folder: must be text of the form"):
        rendered({"nextcloud": {"state": "present", "folder": '"; rm -rf ~; "'}})


# --- services --------------------------------------------------------------------------------

SERVICES = {"firefox": "present", "opensc": "present", "e-akte": "present", "cloud": {"state": "present"}}


def test_a_service_has_a_bookmark_a_menu_entry_and_what_it_needs_to_be_trusted(rendered: Any):
    parts = rendered(SERVICES)
    found = policy(parts)
    assert {"name": "E-Akte", "url": "https://akte.mv.example/"} in found["ManagedBookmarks"]
    assert found["Certificates"]["Install"] == ["/etc/mvpc/pki/mv-ca.pem"]
    assert "OpenSC" in found["SecurityDevices"]["Add"]
    entry = files(parts)["/usr/share/applications/mvpc-e-akte.desktop"].content
    assert 'Exec=x-www-browser "https://akte.mv.example/"\nIcon=folder-documents\n' in entry


def test_an_office_may_have_its_own_address_of_a_service(rendered: Any):
    own = {"state": "present", "url": "https://cloud.fm.mv.example/?from=100%25"}
    parts = rendered({**SERVICES, "cloud": own})
    assert {"name": "Landescloud", "url": own["url"]} in policy(parts)["ManagedBookmarks"]
    assert "?from=100%%25" in files(parts)["/usr/share/applications/mvpc-cloud.desktop"].content


# --- files and programs ----------------------------------------------------------------------


def test_the_preferred_program_opens_a_type_of_file_first(rendered: Any):
    chosen = {"okular": "present", "xpdf": {"state": "present", "preferred": True}}
    defaults = files(rendered(chosen))["/etc/xdg/mimeapps.list"].content
    assert "\napplication/pdf=xpdf.desktop;org.kde.okular.desktop;\n" in defaults


def test_a_program_starts_at_log_in_by_itself_where_the_catalogue_says_so(rendered: Any):
    entry = "/etc/xdg/autostart/mvpc-example.mv.Hello.desktop"
    started = files(rendered({"hello": "present"}, flatpak=REMOTES))[entry]
    assert started.target == "/var/lib/flatpak/exports/share/applications/example.mv.Hello.desktop"
    assert entry not in files(rendered({"hello": {"state": "present", "autostart": False}}, flatpak=REMOTES))


def test_a_program_starts_at_log_in_where_the_profile_says_so(rendered: Any):
    found = files(rendered({"thunderbird": {"state": "present", "autostart": True}}))
    assert found["/etc/xdg/autostart/mvpc-thunderbird.desktop"].target == "/usr/share/applications/thunderbird.desktop"
    assert not [path for path in files(rendered({"thunderbird": "present"})) if path.startswith("/etc/xdg/autostart")]


# --- Flatpaks --------------------------------------------------------------------------------


def test_a_flatpak_brings_what_installs_it_with_the_remote_that_it_needs(rendered: Any):
    found = rendered({"hello": "present"}, flatpak=REMOTES)
    wanted = json.loads(files(found)["/etc/mvpc/flatpaks.json"].content)
    assert wanted == {
        "remotes": {"mv": {"url": "https://mv.mv.example/", "key": "mDMEZ9bXkga2V5"}},
        "apps": {"example.mv.Hello": {"remote": "mv", "branch": "stable"}},
    }
    assert packages(found)["flatpak"].present
    assert {each.name for each in found if isinstance(each, Unit)} == {
        "mvpc-flatpaks.service",
        "mvpc-flatpaks-update.timer",
    }


def test_the_program_for_flatpaks_starts_by_itself_apart_from_what_people_install_for_python(rendered: Any):
    found = files(rendered({"hello": "present"}, flatpak=REMOTES))
    program = found["/usr/local/lib/mvpc/flatpaks"]
    assert (program.mode, program.content.splitlines()[0]) == ("0755", "#!/usr/bin/python3 -I")
    for unit in ("mvpc-flatpaks.service", "mvpc-flatpaks-update.service"):
        assert f"\nExecStart={program.path}" in found[f"/etc/systemd/system/{unit}"].content


@pytest.mark.parametrize("software", [{}, {"hello": "absent"}])
def test_a_laptop_without_flatpaks_gets_nothing_of_all_that(rendered: Any, software: Any):
    assert "flatpak" not in str(rendered(software, flatpak=REMOTES))


def test_a_flatpak_opens_its_files_like_any_program(rendered: Any):
    found = files(rendered({"hello": "present"}, flatpak=REMOTES))
    assert "text/plain=example.mv.Hello.desktop;" in found["/etc/xdg/mimeapps.list"].content


def test_a_remote_that_the_profile_does_not_name_is_an_error(rendered: Any):
    with pytest.raises(InputError, match=r"software\.hello: base\.flatpak\.remotes has no remote mv"):
        rendered({"hello": "present"})

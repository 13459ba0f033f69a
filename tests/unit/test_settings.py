from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from mvpc.catalogue import PackagedProduct, Verify
from mvpc.errors import InputError
from mvpc.profiles import merge, read_layer
from mvpc.settings import Profiles, Settings, present, validate

PROJECT = Path(__file__).parents[2]
RESSORTS = ("stk", "im", "fm", "jm", "wm", "lm", "bm", "wkm", "sm")
WORKPLACES = ("standard", "mobile", "performance", "special")
KEY = "A" * 42 + "E="
EAP = "eap: {ca_certificate: /etc/mvpc/pki/ca.pem, domain_match: radius.mv.example}"
TUNNEL = f"""\
vpn:
  provider: wireguard
  address_pool: 10.64.0.0/16
  gateway: {{endpoint: "vpn.example:51820", public_key: {KEY}}}
"""
SECRET = "hunter2-hunter2"
PLAIN = PackagedProduct(
    name="x",
    description="x",
    function="pdf",
    licence="MIT",
    source="https://x.example/",
    packages=("xx",),
    verify=(Verify(argv=("x",)),),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def settings(
    root: Path, *layers: str, products: tuple[str, ...] = ("qpdf", "gimp", "cups"), admin: str = ""
) -> Settings:
    """Validate layers, which are written to 1.yml, 2.yml and so on."""
    paths = [root / f"{number}.yml" for number, _ in enumerate(layers, start=1)]
    for path, text in zip(paths, layers, strict=True):
        path.write_text(text, encoding="utf-8")
    return validate(
        merge([read_layer(path, root=root) for path in paths]), catalogue=dict.fromkeys(products, PLAIN), admin=admin
    )


def problems(
    root: Path, *layers: str, products: tuple[str, ...] = ("qpdf", "gimp", "cups"), admin: str = ""
) -> list[str]:
    with pytest.raises(InputError) as caught:
        settings(root, *layers, products=products, admin=admin)
    return [str(problem) for problem in caught.value.problems]


def network(entries: str) -> str:
    return "wifi:\n  networks:\n    lan:\n      " + entries.replace("\n", "\n      ") + "\n"


# --- what holds ------------------------------------------------------------------------------


def test_an_empty_profile_is_valid_and_secure(root: Path):
    found = settings(root, "")
    assert found.base.ssh.crypto == "bsi-tr-02102-2026-01"
    assert present(found.base.ssh.allow_users) == ("mvpc-admin",)
    assert (found.vpn.provider, found.vpn.tunnel, found.base.updates.automatic) == ("none", "full", True)


def a_source(*lines: str) -> str:
    """A layer with one more package source."""
    return "base:\n  apt:\n    sources:\n      own:\n" + "".join(f"        {line}\n" for line in lines)


ARMOURED = (
    *("key: |", "  -----BEGIN PGP PUBLIC KEY BLOCK-----", ""),
    *("  mDMEZ+/=", "  -----END PGP PUBLIC KEY BLOCK-----"),
)


def test_a_package_source_has_the_key_that_signs_it(root: Path):
    layer = a_source("url: http://apt.mv.example/own", "suite: trixie", "components: {main: present}", *ARMOURED)
    assert settings(root, layer).base.apt.sources["own"].key.count("\n") == 4


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("suite: ./",), "1.yml:4: Base.apt.sources.own.key: is missing."),
        (("suite: ./", *ARMOURED, "components: {main: present}"), "components: go with a suite and not with a path"),
        (("suite: trixie", *ARMOURED), "components: go with a suite and not with a path"),
        (
            ("suite: ./", "key: 4EBC08362C4C42E05F353B4773A218DE9671C1F6"),
            "from its BEGIN to its END line. Write | after the colon, and the lines of the text below it, indented.",
        ),
        (
            ("suite: ./", *(line.replace("PUBLIC", "PRIVATE") for line in ARMOURED)),
            "1.yml:7: Base.apt.sources.own.key: must be an OpenPGP public key as text",
        ),
        (("suite: |", "  ./", "  Trusted: yes", *ARMOURED), "1.yml:6: Base.apt.sources.own.suite: holds an invisible"),
    ],
)
def test_a_package_source_that_nobody_signs_or_that_says_more_is_refused(
    root: Path, lines: tuple[str, ...], expected: str
):
    said = "\n".join(problems(root, a_source("url: http://apt.mv.example/own", *lines)))
    assert expected.lower() in said.lower()


def test_only_present_entries_count(root: Path):
    found = settings(root, "software: {qpdf: present, gimp: present}", "software: {gimp: absent, cups: absent}")
    assert {name: choice.state for name, choice in found.software.items()} == {
        "cups": "absent",
        "gimp": "absent",
        "qpdf": "present",
    }


def test_settings_are_frozen_and_equal_only_to_themselves(root: Path):
    first, second = settings(root, ""), settings(root, "")
    assert first != second
    assert len({first, first, second}) == 2
    with pytest.raises(ValueError, match="frozen"):
        first.software = {}


def test_the_address_pool_is_a_network(root: Path):
    assert str(settings(root, TUNNEL).vpn.pool) == "10.64.0.0/16"
    assert settings(root, "").vpn.pool is None


def test_secrets_are_names_and_only_of_networks_that_are_there(root: Path):
    text = network("ssid: A\nsecurity: sae\npsk: {secret: wifi/guest-psk}")
    assert settings(root, text).secrets == ("wifi/guest-psk",)
    assert settings(root, text, "wifi: {networks: {lan: {state: absent}}}").secrets == ()


def test_an_absent_network_needs_nothing_else(root: Path):
    assert settings(root, network("state: absent")).wifi.networks["lan"].state == "absent"


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vpm: {}", "1.yml:1: vpm: unknown key. Perhaps vpn is meant."),
        ("vpn:\n  tunel: full", "1.yml:2: vpn.tunel: unknown key. Perhaps vpn.tunnel"),
        ("vpn:\n  x: full", "1.yml:2: vpn.x: unknown key. Known here: provider, tunnel, gateway"),
        ("vpn: {tunnel: half}", "1.yml:1: vpn.tunnel: must be 'full' or 'split'."),
        ("vpn: {mtu: '1380'}", "1.yml:1: vpn.mtu: must be a whole number. Write it without quotes."),
        ("vpn: {mtu: 100}", "1.yml:1: vpn.mtu: must be at least 1280."),
        ("vpn: {mtu: 9000}", "1.yml:1: vpn.mtu: must be at most 1500."),
        ("vpn: {mtu: null}", "1.yml:1: vpn.mtu: must be a whole number."),
        ("vpn: {mtu: true}", "1.yml:1: vpn.mtu: must be a whole number."),
        ("vpn: full", "1.yml:1: vpn: must be a map."),
        ("base: {updates: {automatic: 'true'}}", "1.yml:1: base.updates.automatic: must be true or false."),
        ("software: [gimp]", "1.yml:1: software: must be a map. Write `name: value` lines below it."),
        ("software: {gimp: true}", "1.yml:1: software.gimp.state: must be 'present' or 'absent'."),
        ("software: {Gimp: present}", "1.yml:1: software.Gimp: not in the catalogue. Perhaps gimp is meant."),
        ("base: {timezone: Europe/Schwerin}", "1.yml:1: base.timezone: must be a time zone of the IANA database."),
        ("base: {timezone: ../../etc/passwd}", "1.yml:1: base.timezone: must be a time zone"),
        ("base: {time_servers: {'a b': present}}", "1.yml:1: base.time_servers.a b: must be a host name"),
        ("base: {sysctl: {sysrq: 0}}", "1.yml:1: base.sysctl.sysrq: must be a name of a kernel parameter."),
        ("base: {sysctl: {kernel.sysrq: true}}", "1.yml:1: base.sysctl.kernel.sysrq: must be a whole number or plain"),
        ("base: {apt: {mirror: 'ftp://x.example'}}", "1.yml:1: base.apt.mirror: must be an http or https address"),
        ("base: {apt: {mirror: 'http://u:p@x.example'}}", "1.yml:1: base.apt.mirror: must be an http or https address"),
        (
            "base: {ssh: {allow_users: {Root: present}}}",
            "1.yml:1: base.ssh.allow_users.Root: must be a name of a Linux",
        ),
        ("base: {ssh: {allow_users: {x: absent}}}", "1.yml:1: base.ssh.allow_users: lets nobody log in"),
        (
            "base: {updates: {window: {start: '25:00', end: '1:00', days: {monday: present}}}}",
            '1.yml:1: base.updates.window.end: must be a time of day in quotes. For example: "20:00".',
        ),
        (
            "base: {updates: {window: {start: '20:00', end: '20:00', days: {monday: present}}}}",
            "1.yml:1: base.updates.window.end: is the same as start, so the window never opens.",
        ),
        (
            "base: {updates: {window: {start: '20:00', end: '21:00', days: {monday: absent}}}}",
            "1.yml:1: base.updates.window.days: has no day that is present.",
        ),
        (
            "base: {updates: {window: {start: '20:00', end: '21:00', days: {montag: present}}}}",
            "1.yml:1: base.updates.window.days.montag: must be 'monday', 'tuesday'",
        ),
        ("base: {updates: {reboot: in_window}}", "1.yml:1: base.updates.reboot: is in_window, but there is no window."),
        ("vpn: {address_pool: 10.64.0.1/16}", "1.yml:1: vpn.address_pool: must be an IPv4 network range without host"),
        ("vpn: {routes: {10.0.0.0/33: present}}", "1.yml:1: vpn.routes.10.0.0.0/33: must be a network range"),
        ("vpn: {dns: {servers: {ns.example: present}}}", "1.yml:1: vpn.dns.servers.ns.example: must be an IP address."),
        ("lock: [vpn.provder]", "1.yml:1: lock: no setting is called vpn.provder. Perhaps vpn.provider is meant."),
    ],
)
def test_a_wrong_setting_is_refused_with_place_path_and_next_step(root: Path, text: str, said: str):
    assert problems(root, text)[0].startswith(said.replace("Perhaps vpn.tunnel", "Perhaps tunnel is meant."))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("provider: wireguard", ["gateway: is missing, WireGuard needs it", "address_pool: is missing, WireGuard"]),
        ("provider: ikev2", ["ikev2: is missing, IKEv2 needs it", "address_pool: is missing, IKEv2 needs it"]),
        ("ikev2: {identity: vpn.example}", ["ikev2.address: is missing"]),
        ("ikev2: {identity: vpn.example, address: vpn.example}", ["must be an IP address"]),
        (
            "{address_pool: 10.64.0.0/16, provider: ikev2, ikev2: {identity: a.b, address: 10.64.0.1}}",
            ["ikev2.address: lies in address_pool"],
        ),
        ("gateway: {endpoint: vpn.example}", ["endpoint: must be host:port", "public_key: is missing"]),
        (
            "gateway: {endpoint: 'vpn.example:99999', public_key: x}",
            ["endpoint: must be host:port", "32 bytes in base64"],
        ),
        (f"gateway: {{endpoint: '[::x]:1', public_key: {KEY}}}", ["endpoint: must be host:port"]),
    ],
)
def test_an_incomplete_tunnel_is_refused_with_all_that_is_missing(root: Path, text: str, said: list[str]):
    found = problems(root, f"vpn:\n  {text}\n")
    assert len(found) == len(said)
    assert all(any(part in line for line in found) for part in said)


def test_a_split_tunnel_needs_routes(root: Path):
    assert problems(root, TUNNEL, "vpn: {tunnel: split}") == [
        "2.yml:1: vpn.tunnel: split needs routes. Write below vpn, for example: routes: {10.0.0.0/8: present}."
    ]
    assert settings(root, TUNNEL, "vpn: {tunnel: split, routes: {10.0.0.0/8: present}}").vpn.tunnel == "split"


SWITCHED = f"""\
vpn:
  provider: wireguard
  address_pool: 10.64.0.0/16
  gateway: {{endpoint: "192.0.2.10:51820", public_key: {KEY}}}
  dns: {{servers: {{10.1.0.53: present}}}}
  kill_switch: {{enabled: true}}
"""
REVOKING = """\
vpn:
  provider: ikev2
  ikev2: {address: 192.0.2.10, identity: vpn.mv.example}
"""


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (
            ("vpn:\n  kill_switch:\n    enabled: true",),
            "1.yml:3: vpn.kill_switch.enabled: needs a tunnel, and provider is",
        ),
        (
            (SWITCHED, f"vpn: {{gateway: {{endpoint: 'vpn.example:1', public_key: {KEY}}}}}"),
            "2.yml:1: vpn.gateway.endpoint: is a name, which nobody resolves behind the kill switch. Write the address",
        ),
        (
            (SWITCHED, "vpn:\n  dns:\n    servers: {10.1.0.53: absent}"),
            "1.yml:5: vpn.dns.servers: is empty, so nobody resolves names behind the kill switch.",
        ),
        (
            (SWITCHED, "vpn:\n  kill_switch:\n    portal_minutes: 30"),
            "2.yml:3: vpn.kill_switch.portal_minutes: is 30, more than portal_minutes_per_hour allows (20). Lower it",
        ),
        ((SWITCHED, REVOKING), "1.yml:6: vpn.kill_switch.revocation_servers: is empty, so nobody says"),
        (
            (SWITCHED, "vpn:\n  trusted_network:\n    wifi: {guest: present}"),
            "2.yml:3: vpn.trusted_network.wifi.guest: is no network of wifi.networks with a certificate (wpa-eap)",
        ),
        (
            (
                SWITCHED,
                network("ssid: A\nsecurity: sae\npsk: {secret: x}"),
                "vpn: {trusted_network: {wifi: {lan: present}}}",
            ),
            "3.yml:1: vpn.trusted_network.wifi.lan: is no network of wifi.networks with a certificate (wpa-eap)",
        ),
        (
            (SWITCHED, "vpn: {trusted_network: {witness: {name: x, authority: /ca.pem}}}"),
            "2.yml:1: vpn.trusted_network.witness.ad",
        ),
        (
            (SWITCHED, "vpn:\n  kill_switch:\n    management: {10.1.0.1/8: present}"),
            "2.yml:3: vpn.kill_switch.management.10.1.0.1/8: must be a network range without host bits.",
        ),
    ],
)
def test_a_kill_switch_that_would_shut_the_tunnel_itself_out_is_refused(root: Path, layers: tuple[str, ...], said: str):
    [found] = problems(root, *layers)
    assert found.startswith(said), found


def test_a_kill_switch_that_lets_the_tunnel_do_its_work_is_taken(root: Path):
    servers = "  kill_switch: {revocation_servers: {192.0.2.20: present}}\n"
    assert settings(root, SWITCHED).vpn.kill_switch.enabled
    assert settings(root, SWITCHED, f"{REVOKING}{servers}").vpn.kill_switch.enabled
    trusting = f"{network(f'ssid: A{chr(10)}{EAP}')}vpn: {{trusted_network: {{wifi: {{lan: present}}}}}}\n"
    assert settings(root, SWITCHED, trusting).vpn.trusted_network.wifi == {"lan": "present"}
    assert settings(root, SWITCHED, REVOKING.replace("identity:", "revocation: relaxed, identity:")).vpn.ikev2


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            "ssid: A",
            "1.yml:3: wifi.networks.lan.eap: is missing, security wpa-eap needs it. Add eap with ca_certificate",
        ),
        (EAP, "1.yml:3: wifi.networks.lan.ssid: is missing. Add the name"),
        ("ssid: A\nsecurity: sae", "1.yml:3: wifi.networks.lan.psk: is missing, security sae needs it."),
        (f"ssid: A\nsecurity: none\n{EAP}", "1.yml:5: wifi.networks.lan.security: must be 'wpa-eap'"),
        (
            f"ssid: A\npsk: {{secret: wifi/x}}\n{EAP}",
            "1.yml:5: wifi.networks.lan.psk: has no use with security wpa-eap.",
        ),
        ("ssid: A\neap: {domain_match: x.example}", "1.yml:5: wifi.networks.lan.eap.ca_certificate: is missing."),
        ("ssid: A\neap: {ca_certificate: /ca.pem}", "1.yml:5: wifi.networks.lan.eap.domain_match: is missing."),
        (f"ssid: A\n{EAP}\npmf: 1", "1.yml:6: wifi.networks.lan.pmf: unknown key. Known here: state, ssid"),
        (f"ssid: {'ä' * 17}\n{EAP}", "1.yml:4: wifi.networks.lan.ssid: must be a network name of 1 to 32 bytes."),
        (f'ssid: "A\\n[vpn]"\n{EAP}', "1.yml:4: wifi.networks.lan.ssid: holds an invisible character."),
        (
            EAP.replace("/etc/mvpc/pki/ca.pem", "ca.pem"),
            "1.yml:4: wifi.networks.lan.eap.ca_certificate: must be an absolute",
        ),
        (EAP.replace("/pki/", "/../"), "1.yml:4: wifi.networks.lan.eap.ca_certificate: must be an absolute"),
        (
            EAP.replace("radius.mv.example", "radius/mv"),
            "1.yml:4: wifi.networks.lan.eap.domain_match: must be a domain name.",
        ),
        (
            EAP.replace("eap: {", "eap: {identity: '{{x}}', "),
            "1.yml:4: wifi.networks.lan.eap.identity: must be an identity",
        ),
    ],
)
def test_a_network_that_would_be_insecure_or_useless_is_refused(root: Path, entries: str, said: str):
    assert any(line.startswith(said) for line in problems(root, network(entries))), problems(root, network(entries))


def test_control_characters_are_refused_wherever_they_stand(root: Path):
    found = problems(root, 'base:\n  sysctl:\n    kernel.domainname: "a\\u202eb"\n  timezone: |\n    Europe/Berlin\n')
    assert [line.partition(". ")[0] for line in found][:2] == [
        "1.yml:3: base.sysctl.kernel.domainname: holds an invisible character",
        "1.yml:3: base.sysctl.kernel.domainname: must be a whole number or plain text",
    ]
    assert "1.yml:4: base.timezone: holds an invisible character" in found[2]


def test_software_must_be_in_the_catalogue(root: Path):
    found = problems(root, "software:\n  gmip: present\n  word: absent\n", products=("gimp", "qpdf"))
    assert found == [
        "1.yml:2: software.gmip: not in the catalogue. Perhaps gimp is meant.",
        "1.yml:3: software.word: not in the catalogue. Add profiles/catalogue/word.yml, or remove it here.",
    ]


def test_mvpc_does_not_lock_itself_out(root: Path):
    found = problems(root, "base:\n  ssh:\n    allow_users: {anna: present}\n", admin="mvpc-admin")
    said = "1.yml:3: base.ssh.allow_users: mvpc-admin is not allowed, so mvpc would lock itself out."
    assert found == [f"{said} Add mvpc-admin: present."]


def test_the_line_is_that_of_the_layer_which_won(root: Path):
    assert problems(root, "vpn: {mtu: 1380}", "\n\nvpn: {mtu: 1}")[0].startswith("2.yml:3: vpn.mtu")


def test_all_problems_come_at_once_in_order(root: Path):
    found = problems(root, "a: 1\nvpn: {mtu: 1, tunnel: x}\n", "lock: [b]\nsoftware: {x: 1}\n", products=())
    assert [line.partition(" ")[0] for line in found] == [
        "1.yml:1:",
        "1.yml:2:",
        "1.yml:2:",
        "2.yml:1:",
        "2.yml:2:",
    ]


@pytest.mark.parametrize(
    "text",
    [
        network(f"ssid: A\nsecurity: sae\npsk: {SECRET}"),
        network(f"ssid: A\nsecurity: sae\npsk: {{secret: '{SECRET} X'}}"),
        network(f"ssid: A\nsecurity: sae\npsk: {{value: {SECRET}}}"),
        network(f"ssid: A\nsecurity: sae\npsk: [{SECRET}]"),
        network(f"ssid: A\nsecurity: sae\npassword: {SECRET}"),
        network(f"ssid: A\nsecurity: {SECRET}"),
        network(f"ssid: A\neap: {SECRET}"),
        f"vpn: {{gateway: {{endpoint: {SECRET}, public_key: {SECRET}}}}}",
        f"vpn: {{mtu: {SECRET}, routes: {{10.0.0.0/8: {SECRET}}}}}",
        f"base: {{timezone: '{SECRET} ', sysctl: {{kernel.x: [{SECRET}]}}, apt: {{mirror: 'http://a:{SECRET}@b'}}}}",
        f"software: {SECRET}",
    ],
)
def test_a_rejected_value_is_never_shown(root: Path, text: str):
    assert SECRET not in " ".join(problems(root, text))


def test_a_key_in_the_profile_is_refused_with_the_way_to_store_it(root: Path):
    said = "1.yml:6: wifi.networks.lan.psk: must be the name of a secret, never the secret itself."
    step = "Write {secret: wifi/NAME} here and store it with: mvpc secret set wifi/NAME."
    assert problems(root, network(f"ssid: A\nsecurity: sae\npsk: {SECRET}")) == [f"{said} {step}"]


# --- the samples -----------------------------------------------------------------------------


def test_every_sample_profile_is_valid_and_the_ressorts_differ():
    profiles = Profiles(PROJECT)
    seen = {
        (ressort, kind): profiles.of(workplace=kind, ressort=ressort, authority="none", hostname="none").settings
        for ressort in RESSORTS
        for kind in WORKPLACES
    }
    standard = {ressort: seen[ressort, "standard"].model_dump_json() for ressort in RESSORTS}
    assert len(set(standard.values())) == len(RESSORTS)
    assert {seen[key].vpn.tunnel for key in seen} == {"full", "split"}
    assert {seen[key].software["cups"].state for key in seen} == {"present", "absent"}
    assert {ressort for ressort, kind in seen if seen[ressort, kind].secrets} == {"wm"}


def test_devices_with_the_same_layers_share_one_profile():
    profiles = Profiles(PROJECT)
    first = profiles.of(workplace="mobile", ressort="fm", authority="fa-schwerin", hostname="nb-000123")
    second = profiles.of(workplace="mobile", ressort="fm", authority="fa-schwerin", hostname="nb-000124")
    assert first is second


def test_broken_samples_are_valid_or_refused_with_a_line(tmp_path: Path):
    random_ = random.Random(7)
    lines = (PROJECT / "profiles" / "base.yml").read_text(encoding="utf-8").splitlines()
    for _ in range(200):
        broken = list(lines)
        for _ in range(random_.randint(1, 3)):
            spot = random_.randrange(len(broken))
            broken[spot] = random_.choice(
                [
                    broken[spot][2:],
                    "  " + broken[spot],
                    broken[spot].replace(":", ": x", 1),
                    random_.choice(lines),
                    "x: 1",
                ]
            )
        try:
            settings(tmp_path, "\n".join(broken) + "\n")
        except InputError as error:
            assert all(re.match(r"1\.yml:[1-9]", problem.where) for problem in error.problems)


def test_a_name_server_inside_the_address_pool_is_refused_since_a_laptop_would_get_its_address(root: Path):
    assert problems(root, f"{TUNNEL}  dns: {{servers: {{10.64.0.53: present}}}}\n") == [
        "1.yml:5: vpn.dns.servers.10.64.0.53: lies in address_pool, so a laptop would get it too. Keep them apart."
    ]

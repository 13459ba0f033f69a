from __future__ import annotations

import contextlib
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvpc.inventory.cells import CellError, parse
from mvpc.inventory.columns import TITLES, field_of
from mvpc.model import HOSTNAME, LifeCycle, Workplace

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDp2c6YkWTyXBZjmzYkIyMbdgyIBXfEdyCgEIiOAb3xw"


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("inventory_number", "000123", "000123"),
        ("serial", "PF-4K/001", "PF-4K/001"),
        ("hostname", "NB-000123", "nb-000123"),
        ("os", "Debian 13", "debian-13"),
        ("os", "Debian GNU/Linux 13.2 (trixie)", "debian-13"),
        ("os", "debian-12", "debian-12"),
        ("os", "Ubuntu 24.04.2 LTS", "ubuntu-24.04"),
        ("os", "Windows 11 Pro", "windows-11"),
        ("os", "Microsoft Windows 10", "windows-10"),
        ("workplace", "Standard", Workplace.STANDARD),
        ("workplace", "mobil", Workplace.MOBILE),
        ("workplace", "Leistung", Workplace.PERFORMANCE),
        ("workplace", "Sonderarbeitsplatz", Workplace.SPECIAL),
        ("state", "übergeben", LifeCycle.IN_USE),
        ("state", "U\u0308BERGEBEN", LifeCycle.IN_USE),
        ("state", "betankt", LifeCycle.IMAGED),
        ("state", "in_repair", LifeCycle.IN_REPAIR),
        ("delivered", "6.12.2026", date(2026, 12, 6)),
        ("delivered", "2026-12-06", date(2026, 12, 6)),
        ("delivered", "2026-12-06 00:00:00", date(2026, 12, 6)),
        ("address", "192.0.2.7", "192.0.2.7"),
        ("address", "2001:DB8::7", "2001:db8::7"),
        ("address", "NB-1.mv.example", "nb-1.mv.example"),
        ("host_key", ED25519 + " root@nb-000123", ED25519),
        ("room", "'-1.04", "-1.04"),
        ("room", "'Erker'", "'Erker'"),
        ("room", "Cafe\u0301", "Café"),
    ],
)
def test_a_cell_becomes_a_value(field: str, text: str, value: Any):
    assert parse(field, text) == value


@pytest.mark.parametrize(
    ("field", "text", "what", "hint"),
    [
        ("hostname", "nb-müller", "'nb-müller' is no hostname", "Write nb-mueller"),
        ("hostname", "nb_42", "is no hostname", "Write nb-42"),
        ("hostname", "nb-1.mv.example", "is no hostname", "Write only nb-1, without the domain"),
        ("hostname", "nb-0123456789abcdef", "is no hostname", "It has 19 characters, at most 15 are allowed"),
        ("hostname", "1nb", "is no hostname", "beginning with a letter"),
        ("hostname", "-oProxyCommand=x", "is no hostname", ""),
        ("inventory_number", "1,23457E+12", "is no number of a device", "Format the column as text"),
        ("inventory_number", "=1+1", "is not allowed", ""),
        ("serial", "12;34", "is not allowed", ""),
        ("room", "#NAME?", "is an error of the spreadsheet", "Mend its formula, or type the value itself"),
        ("room", "#DIV/0!", "is an error of the spreadsheet", ""),
        ("model", "#ÜBERLAUF!", "is an error of the spreadsheet", ""),
        ("vendor", "#NV", "is an error of the spreadsheet", ""),
        ("room", "{{ lookup('pipe', 'id') }}", "holds {{, which Ansible would take as a program", "Remove it"),
        ("model", "{% raw %}", "holds {%", ""),
        ("vendor", "{# x #}", "holds {#", ""),
        ("room", "2\x1b[31m", "'2\\x1b[31m' holds control or invisible characters", "Type the cell anew"),
        ("room", "2\u202e3", "holds control or invisible characters", ""),
        ("room", "two\nlines", "holds control or invisible characters", ""),
        ("room", "x" * 201, "the text has 201 characters", "At most 200 are allowed"),
        ("os", "Debian", "is no known system", "debian-13"),
        ("os", "Ubuntu 24", "lacks the month", "ubuntu-24.04"),
        ("state", "übergebn", "'übergebn' is not known", "übergeben"),
        ("workplace", "Mobill", "is not known", "mobil"),
        ("delivered", "31.02.2026", "is not in the calendar", ""),
        ("delivered", "45678", "is a spreadsheet's count of days", "Format the column as a date"),
        ("delivered", "12/06/2026", "is no date", "Write 06.12.2026 or 2026-12-06"),
        ("address", "-oProxyCommand=id", "is neither a host name nor an IP address", ""),
        ("address", "192.0.2.300", "is neither", ""),
        ("address", "fe80::1%eth0", "is neither", ""),
        ("host_key", "nb-1 " + ED25519, "this is no public SSH host key", "without a host name"),
        ("host_key", ED25519[:-8], "is damaged", "Copy it once more"),
        ("host_key", ED25519.replace("ssh-ed25519", "ssh-rsa"), "is damaged", ""),
        ("host_key", "-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key", "Delete it here"),
    ],
)
def test_a_wrong_cell_says_what_and_how_to_mend_it(field: str, text: str, what: str, hint: str):
    with pytest.raises(CellError) as caught:
        parse(field, text)
    assert what in caught.value.what
    assert hint in caught.value.hint


def test_a_private_key_is_never_shown():
    with pytest.raises(CellError) as caught:
        parse("host_key", "-----BEGIN OPENSSH PRIVATE KEY----- c2VjcmV0")
    assert "c2VjcmV0" not in caught.value.what + caught.value.hint


@given(field=st.sampled_from(list(TITLES)), text=st.text(min_size=1, max_size=80))
def test_every_text_is_a_value_or_a_cell_error(field: str, text: str):
    with contextlib.suppress(CellError):
        parse(field, text)


@given(st.text(max_size=30))
def test_what_passes_as_a_hostname_keeps_its_rule(text: str):
    with contextlib.suppress(CellError):
        assert HOSTNAME.fullmatch(parse("hostname", text))


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("Inventarnummer", "inventory_number"),
        ("Inventar-Nr.", "inventory_number"),
        ("ASSET TAG", "inventory_number"),
        ("Rechnername", "hostname"),
        ("Hostname", "hostname"),
        ("Behörde", "authority"),
        ("BEHOERDE", "authority"),
        ("SSH-Schlüssel", "host_key"),
        ("Lieferdatum", "delivered"),
        ("warranty_until", "warranty_until"),
        ("Kostenstelle", None),
        ("", None),
    ],
)
def test_columns_are_known_under_german_and_english_names(title: str, field: str | None):
    assert field_of(title) == field

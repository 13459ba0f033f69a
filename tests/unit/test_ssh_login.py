from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL

from mvpc.editions import edition
from mvpc.identity.ssh import SshAuthority
from mvpc.model import Reach
from mvpc.ssh import make_key
from mvpc.ssh.session import Login, NotReachedError, connect, exchange, load_key
from mvpc.testing import NOON, a_device

RULES = edition("bsi-tr-02102-2026-01").certificates
LATER = NOON + timedelta(hours=9)
"""When a user certificate of NOON has run out."""


class Sshd(paramiko.ServerInterface):
    """A laptop that lets in whoever shows a certificate, a key without one, or both; it runs no program."""

    def __init__(self, *accepts: str) -> None:
        self.accepts = accepts

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        kind = "certificate" if key.public_blob else "key"
        return AUTH_SUCCESSFUL if kind in self.accepts else AUTH_FAILED


class GoingSshd(Sshd):
    """A laptop that goes to sleep, or loses its network, in the middle of the log-in."""

    def __init__(self, transport: paramiko.Transport, *, says_so: bool) -> None:
        super().__init__()
        self.transport, self.says_so = transport, says_so

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self.says_so:
            self.transport.sock.close()
        else:
            threading.Event().wait(10)
        return AUTH_FAILED


@contextmanager
def a_laptop_that_accepts(*kinds: str) -> Iterator[tuple[int, str]]:
    """Its port and its host key."""
    with a_laptop(lambda _: Sshd(*kinds)) as laptop:
        yield laptop


@contextmanager
def a_laptop(sshd: Callable[[paramiko.Transport], Sshd]) -> Iterator[tuple[int, str]]:
    """Its port and its host key."""
    host_key = paramiko.ECDSAKey.generate(bits=384)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            transport = paramiko.Transport(server.accept()[0])
            transport.add_server_key(host_key)
            transport.start_server(server=sshd(transport), event=threading.Event())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], f"{host_key.get_name()} {host_key.get_base64()}"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A key with a user certificate of NOON beside it, as `mvpc ca sign-user` leaves it."""
    path = tmp_path / "id_ecdsa"
    public = make_key(path, comment="mvpc")
    people = SshAuthority(key=ec.generate_private_key(ec.SECP384R1()), rules=RULES)
    certificate = people.issue_user("mvpc-admin", public, now=NOON)
    path.with_name("id_ecdsa-cert.pub").write_text(f"{certificate.text}\n")
    return path


def login(key: Path, port: int, host_key: str) -> Reach:
    """How far we come; a laptop that let us in runs no program, and so is broken."""
    device = a_device(address="127.0.0.1", host_key=host_key)
    try:
        exchange(device, Login(user="mvpc-admin", port=port, key=load_key(key, now=NOON)), connect(device, port), "")
    except NotReachedError as error:
        return error.reach
    raise AssertionError("it ran a program")


def test_the_certificate_lets_us_in_where_the_key_alone_does_not(key: Path):
    with a_laptop_that_accepts("certificate") as laptop:
        assert login(key, *laptop) is not Reach.REFUSED


def test_a_laptop_that_is_not_enrolled_lets_us_in_by_the_key_beside_the_certificate(key: Path):
    with a_laptop_that_accepts("key") as laptop:
        assert login(key, *laptop) is not Reach.REFUSED


def test_a_laptop_that_knows_neither_refuses_us(key: Path):
    with a_laptop_that_accepts() as laptop:
        assert login(key, *laptop) is Reach.REFUSED


@pytest.mark.parametrize("says_so", [True, False])
def test_a_laptop_that_goes_in_the_middle_of_the_login_has_not_refused_us(
    key: Path, says_so: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mvpc.ssh.session.GREETING_SECONDS", 1)
    with a_laptop(lambda transport: GoingSshd(transport, says_so=says_so)) as laptop:
        assert login(key, *laptop) is Reach.UNREACHABLE


def test_a_certificate_that_has_run_out_is_not_shown(key: Path):
    assert load_key(key, now=NOON).public_blob
    assert not load_key(key, now=LATER).public_blob

"""What superior authorities hand out for ours, made with openssl as they make it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mvpc.editions import edition
from mvpc.identity.chain import read_chain
from mvpc.identity.x509 import authority_request, certify_oneself

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")

RULES = edition("bsi-tr-02102-2026-01").certificates
NOW = datetime.now(tz=UTC) + timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP384R1())
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)


def new_root(folder: Path, name: str, *extensions: str) -> None:
    """A root with a key in NAME.key and a certificate in NAME.pem."""
    more = [part for each in extensions for part in ("-addext", each)]
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", f"{name}.key"]
    openssl(folder, "req", "-x509", *made, "-out", f"{name}.pem", "-days", "30", "-subj", f"/CN={name}", *more)


def sign(folder: Path, request: str, issuer: str, target: str, extensions: str = CA) -> None:
    (folder / "extensions").write_text(extensions)
    by = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", "20"]
    openssl(folder, "x509", "-req", "-in", request, *by, "-extfile", "extensions", "-out", f"{target}.pem")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root, an authority in the middle, and our own, each certified by the one before."""
    folder = tmp_path_factory.mktemp("superior")
    new_root(folder, "root")
    middle = ec.generate_private_key(ec.SECP384R1())
    text = middle.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "middle.key").write_bytes(text)
    (folder / "middle.csr").write_text(authority_request(middle, "middle", RULES))
    sign(folder, "middle.csr", "root", "middle")
    (folder / "own.csr").write_text(authority_request(KEY, "MV devices", RULES))
    sign(folder, "own.csr", "middle", "own")
    (folder / "self.pem").write_bytes(certify_oneself(KEY, "MV devices", RULES, now=NOW).public_bytes(Encoding.PEM))
    return folder


def names(data: bytes, *, now: datetime = NOW) -> list[str]:
    return [each.subject.rfc4514_string() for each in read_chain(data, KEY.public_key(), now=now)]


def together(folder: Path, *files: str) -> bytes:
    return b"".join((folder / f"{name}.pem").read_bytes() for name in files)


WHOLE = ["CN=MV devices", "CN=middle", "CN=root"]


ORDERS = [("own", "middle", "root"), ("root", "middle", "own"), ("self", "root", "own", "middle")]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_order_of_a_file_does_not_matter(made: Path, order: tuple[str, ...]):
    assert names(together(made, *order)) == WHOLE


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_windows_authority_may_hand_out_pkcs7(made: Path, form: str):
    (made / "all.pem").write_bytes(together(made, "own", "middle", "root"))
    openssl(made, "crl2pkcs7", "-nocrl", "-certfile", "all.pem", "-outform", form, "-out", "all.p7b")
    assert names((made / "all.p7b").read_bytes()) == WHOLE


def test_a_single_certificate_may_come_as_der(made: Path):
    openssl(made, "x509", "-in", "self.pem", "-outform", "DER", "-out", "self.cer")
    assert names((made / "self.cer").read_bytes()) == ["CN=MV devices"]


def test_texts_that_openssl_writes_before_a_certificate_do_not_matter(made: Path):
    openssl(made, "x509", "-in", "own.pem", "-text", "-out", "own-text.pem")
    assert names(together(made, "own-text", "middle", "root")) == WHOLE


def test_a_root_without_key_usage_may_certify_as_old_ones_do(made: Path, tmp_path: Path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    assert b"Key Usage" not in subprocess.check_output(["openssl", "x509", "-in", made / "root.pem", "-noout", "-text"])
    sign(tmp_path, "own.csr", "root", "direct")
    assert names(together(tmp_path, "direct", "root")) == ["CN=MV devices", "CN=root"]


def test_a_file_that_ends_below_the_root_names_what_is_missing(made: Path):
    with pytest.raises(ValueError, match="the certificate of CN=root is missing, which issued CN=middle"):
        names(together(made, "own", "middle"))


def test_a_certificate_of_the_same_name_but_another_key_is_not_the_missing_one(made: Path, tmp_path: Path):
    new_root(tmp_path, "root")
    with pytest.raises(ValueError, match="CN=root is missing"):
        names(together(made, "own", "middle") + (tmp_path / "root.pem").read_bytes())


@pytest.mark.parametrize(
    ("extensions", "said"),
    [
        ("subjectKeyIdentifier=hash\n", "CN=MV devices has no extension basicConstraints"),
        ("basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\n", "may not certify anybody"),
        (CA.replace("keyCertSign,", ""), "may not certify anybody"),
        (CA.replace("=hash", "=none"), "has no extension subjectKeyIdentifier"),
    ],
)
def test_a_certificate_that_lets_us_certify_nobody_is_refused(made: Path, tmp_path: Path, extensions: str, said: str):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    sign(tmp_path, "own.csr", "middle", "bad", extensions)
    with pytest.raises(ValueError, match=said):
        names(together(tmp_path, "bad", "middle", "root"))


def test_a_superior_authority_that_may_have_none_below_it_is_refused(made: Path, tmp_path: Path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    sign(tmp_path, "middle.csr", "root", "middle", CA)
    new_root(tmp_path, "narrow", "basicConstraints=critical,CA:TRUE,pathlen:0")
    sign(tmp_path, "own.csr", "narrow", "below")
    with pytest.raises(ValueError, match="CN=narrow allows only 0 authorities below it"):
        names(together(tmp_path, "below", "narrow"))


def test_what_is_no_certificate_or_not_ours_or_too_old_is_said(made: Path):
    for data in (b"", b"nothing", (made / "root.key").read_bytes()):
        with pytest.raises(ValueError, match="no certificate in it"):
            names(data)
    with pytest.raises(ValueError, match="none of its certificates is for the key"):
        names(together(made, "root", "middle"))
    with pytest.raises(ValueError, match="is not valid today"):
        names(together(made, "own", "middle", "root"), now=NOW + timedelta(days=25))

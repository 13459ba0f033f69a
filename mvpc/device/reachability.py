"""The program that asks central services whether they can be reached, from a laptop, under an account without rights.

It is one text for `python3 -I -`, needs Python >= 3.9 and its standard library, and prints one JSON object:
product -> [state, detail]. States are those of `mvpc.model.Reachability`. Names are resolved, routes taken and
certificates judged as by any program on the laptop, so it sees what the person in front of it sees; only a proxy is
not asked.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import ssl
import sys
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

AWAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})
"""What the system says of an address to which no way leads (connect(2))."""
MAX_WORDS = 200

Question = Mapping[str, Any]
"""product, url, statuses, certificates, smart_card and seconds, as `mvpc.software.ServiceQuestion` has them."""


def main(questions: Sequence[Question]) -> None:
    """Ask all services at once; one that hangs costs the others nothing."""
    answers: dict[str, tuple[str, str]] = {}
    begun = time.monotonic()
    threads = [threading.Thread(target=note, args=(answers, each), daemon=True) for each in questions]
    for thread in threads:
        thread.start()
    for thread, each in zip(threads, questions):  # noqa: B905 - `strict` is younger than laptops
        thread.join(max(0.0, begun + each["seconds"] - time.monotonic()))
    late = {each["product"]: silent(each) for each in questions}
    sys.stdout.write(json.dumps({**late, **dict(answers)}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait for a name server


def note(answers: dict[str, tuple[str, str]], question: Question) -> None:
    """Ask one service, and put down what came of it."""
    state, detail = reached(question)
    answers[question["product"]] = state, detail[:MAX_WORDS]


def reached(question: Question) -> tuple[str, str]:
    """State and detail of one service."""
    try:
        status = ask(question)
    except OSError as error:
        return of_error(question, error)
    except http.client.HTTPException as error:
        return "broken", f"its answer is no HTTP: {type(error).__name__}"
    return ("reachable", "") if status in question["statuses"] else ("status", str(status))


def ask(question: Question) -> int:
    """The HTTP status code of the service. Redirections are not followed: they are an answer."""
    url = urllib.parse.urlsplit(question["url"])
    connection = connect(url.scheme, url.hostname or "", url.port, question)
    try:
        target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        connection.request("GET", target, headers={"User-Agent": "mvpc", "Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def connect(scheme: str, host: str, port: int | None, question: Question) -> http.client.HTTPConnection:
    """A connection that believes the authorities of the system, and those that the service needs besides."""
    if scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=question["seconds"])
    trust = ssl.create_default_context()
    # Since Python 3.13 strict by RFC 5280: it refuses certificates that browsers accept, as without key identifiers.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for path in question["certificates"]:
        if path not in missing(question):
            trust.load_verify_locations(path)
    return http.client.HTTPSConnection(host, port, timeout=question["seconds"], context=trust)


def of_error(question: Question, error: OSError) -> tuple[str, str]:
    """What an error of the network or of TLS says about the service."""
    if isinstance(error, ssl.SSLError):
        return of_tls(question, error)
    if isinstance(error, socket.gaierror):
        return "name-unknown", error.strerror or ""
    if isinstance(error, (socket.timeout, TimeoutError)):
        return silent(question)
    if isinstance(error, ConnectionRefusedError):
        return "refused", ""
    return ("no-route", "") if error.errno in AWAY else ("broken", error.strerror or type(error).__name__)


def of_tls(question: Question, error: ssl.SSLError) -> tuple[str, str]:
    """What TLS found; first of all, whether the laptop lacks the certificate of an authority."""
    if isinstance(error, ssl.SSLCertVerificationError):
        gone = missing(question)
        return "untrusted", f"{', '.join(gone)} is not on the laptop" if gone else error.verify_message
    reason = error.reason or type(error).__name__
    if question["smart_card"] and reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return "reachable", ""  # it has proved itself, and now wants the certificate of the card
    return "broken", reason.replace("_", " ").lower()


def missing(question: Question) -> list[str]:
    """Certificates of authorities that the laptop should have and this account cannot read."""
    return [path for path in question["certificates"] if not os.access(path, os.R_OK)]


def silent(question: Question) -> tuple[str, str]:
    """What is said of a service that does not answer in time."""
    return "silent", f"within {question['seconds']} s"

"""Web servers of this machine that live as long as a test needs them."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.acceptance.certificates import Certificate

Handler = Callable[[Any, Any, ThreadingHTTPServer], BaseHTTPRequestHandler]
"""Answers one request: its socket, whose it is, and the server."""


@contextmanager
def serving(handler: Handler, address: str, port: int = 0, *, certificate: Certificate | None = None) -> Iterator[str]:
    """Its URL without a path: https with a certificate. Port 0 takes a free one."""
    server = ThreadingHTTPServer((address, port), handler)
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.certificate, certificate.key)
        # Each thread shakes hands itself: a client that is silent keeps nobody else waiting.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

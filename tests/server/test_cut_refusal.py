"""A refusal interrupted in transit counts as an interrupted connection."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.crypto.keys import certificate_fingerprint, make_certificate
from fieldsync.protocol import sync_once
from tests.conftest import Cast


def test_a_refusal_cut_in_its_body_is_cut_off(people: Cast, tmp_path: Path) -> None:
    """The server announces 401 and 43 bytes, then closes: CutOff, not the HTTP library's own exception."""
    certificate, key = make_certificate(["127.0.0.1"])
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as line:
            line.recv(65_536)
            line.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 43\r\n\r\n")

    thread = threading.Thread(target=refuse)
    thread.start()
    address = f"https://127.0.0.1:{listener.getsockname()[1]}"
    with people.amal.store.write() as tx:
        tx.sql("UPDATE server SET address = ?, pin = ?", (address, certificate_fingerprint(certificate)))
    with pytest.raises(errors.CutOff):
        sync_once.sync_once(people.amal)
    thread.join(10)
    listener.close()

"""Serving in the foreground: TLS with the server's own certificate, a clean stop on SIGTERM."""

import gc
import os
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from cryptography.hazmat.primitives import serialization

from fieldsync import errors
from fieldsync.replica.node import Node
from fieldsync.server import connections, event_log
from fieldsync.server.app import ServerApp
from fieldsync.server.backup_timer import BackupTimer
from fieldsync.server.rate_limit import Levels, RateLimit

STOP_SECONDS = 20
MOST_CONNECTIONS = 4_000  # further ones get 503, and laptops try again later
GARBAGE = 50_000, 20, 50  # as a thousand requests at once are no garbage, they are looked through less often


class Listener(NamedTuple):
    """Where a process serves.

    shared: the listening socket that several worker processes accept from; None: it opens its own.
    ready: called with the address once it serves.
    levels: where all of them count what devices send; None: it counts for itself.
    """

    host: str
    port: int
    shared: socket.socket | None = None
    ready: Callable[[str], None] = event_log.tell_listening
    levels: Levels | None = None


class _AnnouncingServer(connections.TLSServer):
    """Announces its address once it listens; a signal to stop is not a failure."""

    ready: Callable[[str], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.ready(f"https://{host}:{port}")


def serve_node(
    node: Node,
    listener: Listener,
    limits: connections.ConnectionLimits | None = None,
    timer: BackupTimer | None = None,
) -> None:
    """Serve until stopped; Unreachable if the address is in use."""
    unproved = connections.UnprovedConnections((limits or connections.ConnectionLimits()).limits_for_files(open_many()))
    app = ServerApp(node, unproved)
    app.pace = RateLimit(node.environment.elapsed, levels=listener.levels)
    with node.store.read() as tx:
        certificate, private = tx.settings.certificate, tx.settings.certificate_key
    json_lines = event_log.writes_json()
    served = event_log.RequestLog(app.asgi, node.environment.elapsed) if json_lines else app.asgi
    log_level = os.environ.get("FIELDSYNC_LOG", "critical")
    # without a configuration of its own, uvicorn's lines go where all do
    logs: dict[str, Any] = {"log_config": None} if json_lines else {"log_level": log_level}
    password = node.environment.random_bytes(16).hex()
    # the TLS library reads keys from files only: this one lives for a moment, and encrypted
    key = serialization.load_pem_private_key(private, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password.encode()),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        cert_file, key_file = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        cert_file.write_bytes(certificate)
        key_file.write_bytes(key)
        config = uvicorn.Config(
            served, host=listener.host, port=listener.port, ssl_certfile=cert_file, ssl_keyfile=key_file, ssl_keyfile_password=password,
            **logs, lifespan="off",
            access_log=False, proxy_headers=False, server_header=False, date_header=False,
            timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=30, limit_concurrency=MOST_CONNECTIONS,
        )  # fmt: skip
        config.load()
    assert config.ssl is not None
    config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3  # laptops speak nothing older
    gc.set_threshold(*GARBAGE)
    gc.freeze()  # what is there by now stays
    if timer is not None:
        timer.start()
    try:
        server = _AnnouncingServer(config, unproved)
        server.ready = listener.ready
        server.run(None if listener.shared is None else [listener.shared])
    except SystemExit as stopped:
        if stopped.code:
            raise errors.Unreachable(server=f"{listener.host}:{listener.port}", reason="address in use") from None
    finally:
        if timer is not None:
            timer.stop()
        node.close()
        event_log.log_event(event_log.INFO, "stopped")
        sys.stderr.flush()


def open_many() -> int:
    """Raise the limit of open files as far as needed and allowed (often 1,024 at first). Return the limit."""
    wanted = 4 * MOST_CONNECTIONS
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
            return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted

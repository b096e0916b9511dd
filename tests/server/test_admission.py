"""Admission of requests: replays are refused, and each refusal has its own error."""

import json
import socket
import ssl
import subprocess
from pathlib import Path

import msgspec
import pytest

from fieldsync.core.commit import FORMAT, decode_stored
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server import device_locks
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.protocols import PROTOCOL
from tests.lines import Tap, closing, get, reply, tls
from tests.offices import Hand, Office


def certificate_of(office: Office) -> Path:
    """Write the office's certificate with its key into a file, as somebody would who stole both."""
    found = office.home / "certificate.pem"
    with office["hq"].store.read() as tx:
        found.write_bytes(tx.settings.certificate_key + tx.settings.certificate)
    return found


def add(office: Office, name: str, **fields: object) -> bytes:
    """Register a household on somebody's laptop."""
    return save.add_record(office[name], "household", Changes(set={"family_name": "محمد", **fields}), unit="LAT/JBL")


def test_a_captured_request_cannot_be_replayed(office: Office) -> None:
    """A recorded signed push is sent again twice: refused, and nothing has changed."""
    add(office, "amal", location="جبلة")
    with closing(Tap(certificate_of(office), office.port)) as tap:
        office.meets("amal", tap.port)
        assert office.sync("amal")[0].requests == 1
        office.meets("amal", office.port)
        captured = bytes(tap.heard[0])
    assert captured.startswith(b"POST /v2/sync HTTP/1.1\r\n")
    before = office.snapshot()
    for _ in range(2):
        with tls(office.port) as connection:
            connection.sendall(captured)
            answer = reply(connection)
        assert (answer.status, b"stale_nonce" in answer.body) == (401, True)
    assert office.snapshot() == before
    assert office.sync("amal")[0].requests == 1  # and the replay has cost the laptop nothing


def test_two_concurrent_syncs_of_one_device_succeed(own_office: Office) -> None:
    """Two windows of one laptop sync at the same moment, repeatedly: both succeed, and no commit is lost or duplicated."""
    for round_ in range(2):
        for i in range(5):
            add(own_office, "amal", location=f"{round_} {i}")
        own_office.shut("amal")
        both = [
            subprocess.Popen(
                own_office.command("amal", "sync", "--json"),
                env=own_office.environment,
                stdout=subprocess.PIPE,
                text=True,
                stderr=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        told = [one.communicate(timeout=60) for one in both]
        assert [one.returncode for one in both] == [0, 0], told
    own_office.equal("amal")
    with own_office["hq"].store.read() as tx:
        device = tx.device(own_office["amal"].device)
        assert device is not None
        assert device.head == 10


@pytest.mark.parametrize(
    ("protocol", "code"), [(0, "bad_version"), (PROTOCOL + 1, "peer_outdated"), (-1, "bad_version")]
)
def test_an_unknown_protocol_is_refused(office: Office, protocol: int, code: str) -> None:
    """A protocol version unknown to this server gets a refusal that names the outdated side."""
    hand = Hand(office["amal"], office.port)
    told = hand.post("/v2/sync", hand.hello(protocol=protocol))
    assert (told.status, told.code) == (409, code)
    assert told.error["facts"] == {"what": "protocol", "theirs": PROTOCOL, "ours": protocol}  # as the laptop sees it


def test_a_refusal_includes_the_next_nonce(office: Office) -> None:
    """A request that was admitted and then refused leaves the laptop with a valid nonce."""
    hand = Hand(office["samar"], office.port)
    hand.post("/v2/sync", hand.hello())
    assert hand.post("/v2/sync", hand.hello(protocol=0)).code == "bad_version"
    assert hand.post("/v2/sync", hand.hello(), b"\2").code == "bad_frame"
    assert hand.post("/v2/sync", hand.hello()).status == 200


def test_a_request_without_a_hello_is_refused(office: Office) -> None:
    """A request that begins with commits, or is empty, is refused."""
    add(office, "amal")
    hand = Hand(office["amal"], office.port)
    for first in (hand.commits(), hand.pack(FrameKind.END, messages.encode(messages.End())), b""):
        answer = hand.post("/v2/sync", first)
        assert (answer.status, answer.code) == (400, "bad_frame")


def test_a_revoked_laptop_is_refused_at_the_first_attempt(own_office: Office) -> None:
    """Revoked while the server runs, with megabytes pending: exit code 7 at the first attempt, and the server is unchanged."""
    own_office.register("amal", 6_000)
    device_locks.revoke_device(own_office["hq"], own_office["amal"].letters)
    before = own_office.snapshot()
    own_office.shut("amal")
    for _ in range(2):
        done = own_office.run("amal", "sync", "--json")
        assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (7, "revoked")
    assert own_office.snapshot() == before


def test_health_and_metrics_are_public_and_reveal_no_names(office: Office) -> None:
    """/health answers; /metrics counts, and names nobody."""
    office.sync("amal")
    health = get(office.port, "/health")
    told = json.loads(health.body)
    assert (health.status, told.keys(), told["status"]) == (200, {"status", "protocol", "now"}, "ok")
    figures = get(office.port, "/metrics")
    assert figures.status == 200
    text = figures.body.decode()
    counted = {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if not line.startswith("#")}
    assert counted["fieldsync_syncs_total"] >= 1
    assert counted['fieldsync_refusals_total{code="stale_nonce"}'] >= 2
    for secret in ("Amal", "محمد", "JBL", office["amal"].device.hex()):
        assert secret not in text


def test_the_reported_bytes_of_a_sync_match_the_connection(office: Office) -> None:
    """A sync reports the HTTP bytes that a proxy counts."""
    add(office, "amal")
    with closing(Tap(certificate_of(office), office.port)) as tap:
        office.meets("amal", tap.port)
        synced = office.sync("amal", "amal")
        office.meets("amal", office.port)
    assert [one.up.bytes for one in synced] == list(map(len, tap.heard))


def test_tls_below_1_3_is_refused(office: Office) -> None:
    """A client that offers TLS 1.2 at most gets no connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", office.port), timeout=10) as plain,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(plain)
    with tls(office.port) as line:
        assert line.version() == "TLSv1.3"


def test_a_renewed_server_keeps_its_first_identity(own_office: Office) -> None:
    """It signs with another key since: requests name the server by its first identity, also those of new laptops."""
    office = own_office
    office.server.stop()
    hq, key = office["hq"], DeviceKey.generate()
    first = hq.device
    with hq.store.write() as tx:
        tx.settings.first_private_key = hq.key.to_bytes()
        tx.settings.private_key = key.to_bytes()
        tx.enrol_device(key.device, key.public, "ZZZ", hq.person, hq.grants, hq.clock(), chain.chain_start(key.device))
    hq.reload_identity()
    office.server.start()
    for name in ("amal", "basim"):
        add(office, name)
        assert office.sync(name)[0].digest == "equal"
    office.sync("amal")
    office.equal("amal", "basim")
    assert (hq.device, hq.serving_key.device) == (key.device, first)
    with office["amal"].store.read() as tx:
        assert [server.id for server in tx.servers()] == [first]


def test_commits_of_a_later_format_report_an_outdated_server(own_office: Office) -> None:
    """A newer laptop is not asked to update, and none of its commits is stored."""
    add(own_office, "amal")
    hand = Hand(own_office["amal"], own_office.port)
    hand.post("/v2/sync", hand.hello(where=True))
    with own_office["amal"].store.read() as tx:
        (logged,) = tx.commits_behind(own_office["amal"].device, 0)
    later = msgspec.structs.replace(decode_stored(logged.body or b""), format=FORMAT + 1)
    sent = messages.Commits(hand.node.device, bytes(64), row_batches.pack_commits([later]))
    told = hand.post("/v2/sync", hand.hello(), hand.pack(FrameKind.COMMITS, messages.encode(sent)))
    assert (told.code, told.error["facts"]) == (
        "peer_outdated",
        {"what": "commit", "theirs": FORMAT, "ours": FORMAT + 1},
    )
    assert hand.post("/v2/sync", hand.hello()).message(FrameKind.ACK, messages.Ack).head == 0

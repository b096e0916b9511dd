"""Who is let in: a request is good once, from one device, on one server; whatever else comes is refused and changes nothing."""

import subprocess
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.crypto.keys import DeviceKey, make_certificate
from fieldsync.server import office as running
from fieldsync.sync import save, transport
from fieldsync.sync.save import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import Kind
from tests.lines import Tap, closing, get, reply, tls
from tests.offices import Hand, Office


def certificate_of(office: Office) -> Path:
    """Write the office's certificate with its key into a file, as somebody would who stole both."""
    found = office.home / "certificate.pem"
    with office["hq"].store.read() as tx:
        found.write_bytes(tx.get("certificate_key") + tx.get("certificate"))
    return found


def add(office: Office, name: str, **fields: object) -> bytes:
    """Register a household on somebody's laptop."""
    return save.add(office[name], "household", Changes(set={"family_name": "محمد", **fields}), unit="LAT/JBL")


def test_a_captured_request_cannot_be_sent_again(office: Office) -> None:
    """Somebody who hears a whole signed push sends it again, twice: refused, and nothing has changed."""
    add(office, "amal", location="جبلة")
    with closing(Tap(certificate_of(office), office.port)) as tap:
        office.meets("amal", tap.port)
        assert office.sync("amal")[0]["requests"] == 1
        office.meets("amal", office.port)
        captured = bytes(tap.heard[0])
    assert captured.startswith(b"POST /v1/sync HTTP/1.1\r\n")
    before = office.snapshot()
    for _ in range(2):
        with tls(office.port) as connection:
            connection.sendall(captured)
            answer = reply(connection)
        assert (answer.status, b"stale_nonce" in answer.body) == (401, True)
    assert office.snapshot() == before
    assert office.sync("amal")[0]["requests"] == 1  # and the replay has cost the laptop nothing


def test_a_nonce_that_went_stale_costs_one_request(office: Office) -> None:
    """A laptop whose nonce is not good any more is told a new one; all its commits go up in the same sync."""
    office.register("basim", 900)  # several frames
    with office["basim"].store.write() as tx:
        tx.sql("UPDATE server SET nonce = x'00'")
    (synced,) = office.sync("basim")
    assert synced["requests"] == 2
    assert synced["up"]["commits"] == 900
    office.equal("basim")
    with office["basim"].store.read() as tx, office["hq"].store.read() as hq:
        device = hq.device(office["basim"].device)
        assert device is not None
        assert device.head == 900
        assert tx.acknowledged(tx.servers()[0].id, office["basim"].device) == 900


def test_two_syncs_of_one_device_at_once(own_office: Office) -> None:
    """Two windows of one laptop sync at the same moment, again and again: both succeed, and no commit is lost or doubled."""
    for round_ in range(2):
        for i in range(5):
            add(own_office, "amal", location=f"{round_} {i}")
        own_office.shut("amal")
        both = [
            subprocess.Popen(
                own_office.command("amal", "sync", "--json"), env=own_office.environment, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
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


@pytest.mark.parametrize("what", ["another device's key", "another path", "no proof", "noise", "Bearer", "an unknown device", "a changed hello"])
def test_only_the_device_itself_is_let_in(office: Office, what: str) -> None:
    """A proof by another key, over another path or another hello, or none at all: 401, and the nonce is still good afterwards."""
    hand = Hand(office["samar"], office.port)
    hello, stranger = hand.hello(), DeviceKey.generate()
    nonce = hand.nonce
    proofs = {
        "another device's key": hand.proof("/v1/sync", hello).rsplit(".", 1)[0] + "." + hand.proof("/v1/sync", hello, key=stranger).rsplit(".", 1)[1],
        "another path": hand.proof("/v1/heal", hello),
        "no proof": "",
        "noise": "FS ***.é.~~~".encode().decode("latin-1"),
        "Bearer": hand.proof("/v1/sync", hello).replace("FS", "Bearer"),
        "an unknown device": hand.proof("/v1/sync", hello, key=stranger),
        "a changed hello": hand.proof("/v1/sync", hand.hello(where=True)),
    }
    answer = hand.post("/v1/sync", hello, proof=proofs[what])
    assert answer.status == 401
    assert answer.code == ("unknown_device" if what == "an unknown device" else "bad_signature")
    assert hand.nonce == nonce
    assert hand.post("/v1/sync", hello).status == 200


def test_an_invented_nonce_is_refused(office: Office) -> None:
    """A nonce that the server never handed out, or handed to somebody else, is not good, however well it is signed."""
    hand, other = Hand(office["samar"], office.port), Hand(office["amal"], office.port)
    hello = hand.hello()
    for nonce in (b"", b"\0" * 16, b"\xff" * 16, other.nonce, hand.nonce[:-1], hand.nonce + b"\0"):
        assert hand.post("/v1/sync", hello, proof=hand.proof("/v1/sync", hello, nonce=nonce)).code == "stale_nonce"


@pytest.mark.parametrize("protocol", [0, 2, -1])
def test_another_protocol_is_refused(office: Office, protocol: int) -> None:
    """A version that this server does not speak, however well signed, gets a clear refusal."""
    hand = Hand(office["amal"], office.port)
    told = hand.post("/v1/sync", hand.hello(protocol=protocol))
    assert (told.status, told.code) == (409, "bad_version")
    assert told.error["facts"] == {"what": "protocol", "theirs": protocol, "ours": 1}


def test_a_refusal_hands_out_the_next_nonce_as_well(office: Office) -> None:
    """A request that was let in and then refused leaves the laptop with a good nonce: the next one goes through at once."""
    hand = Hand(office["samar"], office.port)
    hand.post("/v1/sync", hand.hello())
    assert hand.post("/v1/sync", hand.hello(protocol=0)).code == "bad_version"
    assert hand.post("/v1/sync", hand.hello(), b"\2").code == "bad_frame"
    assert hand.post("/v1/sync", hand.hello()).status == 200


def test_a_hello_cannot_be_left_out(office: Office) -> None:
    """A request that begins with commits, or with nothing, is none."""
    add(office, "amal")
    hand = Hand(office["amal"], office.port)
    for first in (hand.commits(), hand.pack(Kind.END, messages.encode(messages.End())), b""):
        answer = hand.post("/v1/sync", first)
        assert (answer.status, answer.code) == (400, "bad_frame")


def test_another_certificate_gets_nothing(office: Office, tmp_path: Path) -> None:
    """A server with a certificate of its own, at the right address: the laptop hangs up before a byte of HTTP."""
    certificate, key = make_certificate(["127.0.0.1"])
    (tmp_path / "other.pem").write_bytes(key + certificate)
    add(office, "amal")
    with closing(Tap(tmp_path / "other.pem", None)) as impostor:
        office.meets("amal", impostor.port)
        try:
            with pytest.raises(errors.WrongServer):
                transport.sync(office["amal"])
        finally:
            office.meets("amal", office.port)
    assert impostor.handshakes == 1
    assert impostor.heard == [b""]


def test_the_environment_changes_nothing(office: Office, tmp_path: Path) -> None:
    """Proxies, authorities and .netrc of the environment are not asked: the sync goes straight to the pinned server."""
    certificate, key = make_certificate(["127.0.0.1"])
    (tmp_path / "other.pem").write_bytes(key + certificate)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    office.shut("amal")
    with closing(Tap(tmp_path / "other.pem", None)) as proxy:
        there = f"http://127.0.0.1:{proxy.port}"
        named = {name: there for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
        bundle = {name: str(tmp_path / "other.pem") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")}
        done = office.run("amal", "sync", "--json", **named, **bundle, NETRC=str(tmp_path / ".netrc"), HOME=str(tmp_path))
        assert done.returncode == 0, done
    assert proxy.heard == []


def test_a_revoked_laptop_is_out_at_once(own_office: Office) -> None:
    """Revoked while the server runs: neither push nor pull, exit code 7, and what it had sent stays."""
    kept = add(own_office, "amal", location="جبلة")
    own_office.sync("amal")
    add(own_office, "amal", location="اللاذقية")
    running.revoke(own_office["hq"], own_office["amal"].letters)
    before = own_office.snapshot()
    own_office.shut("amal")
    for _ in range(2):
        done = own_office.run("amal", "sync", "--json")
        assert (done.returncode, '"revoked"' in done.stdout) == (7, True)
    assert own_office.snapshot() == before
    with own_office["hq"].store.read() as tx:
        assert kept in tx.rows([kept])
    hand = Hand(own_office["amal"], own_office.port)
    ask = hand.pack(Kind.ASK, messages.encode(messages.Ask("LAT/JBL", (), (kept,))))
    assert hand.post("/v1/heal", hand.hello(where=True), ask).code == "revoked"


def test_health_and_metrics_need_no_proof_and_tell_no_secret(office: Office) -> None:
    """/health answers; /metrics counts, and names nobody."""
    office.sync("amal")
    health = get(office.port, "/health")
    assert (health.status, health.body) == (200, b'{"status":"ok","protocol":1}')
    figures = get(office.port, "/metrics")
    assert figures.status == 200
    text = figures.body.decode()
    counted = {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if not line.startswith("#")}
    assert counted["fieldsync_syncs_total"] >= 1
    assert counted['fieldsync_refusals_total{code="stale_nonce"}'] >= 2
    for secret in ("Amal", "محمد", "JBL", office["amal"].device.hex()):
        assert secret not in text


def test_a_sync_with_nothing_to_do_is_one_small_request(own_office: Office) -> None:
    """One request and fewer than 1,000 bytes, headers included."""
    for i in range(50):
        add(own_office, "amal", location=f"{i}")
    own_office.sync("amal", "amal")
    (idle,) = own_office.sync("amal")
    assert idle["requests"] == 1
    assert idle["up"]["commits"] == idle["down"]["states"] == 0
    assert idle["digest"] == "equal"
    assert idle["up"]["bytes"] + idle["down"]["bytes"] < 1_000


def test_what_a_sync_says_it_cost_is_what_the_line_carried(office: Office) -> None:
    """The bytes that a sync reports are those of HTTP as a listener counts them."""
    add(office, "amal")
    with closing(Tap(certificate_of(office), office.port)) as tap:
        office.meets("amal", tap.port)
        synced = office.sync("amal", "amal")
        office.meets("amal", office.port)
    assert [one["up"]["bytes"] for one in synced] == list(map(len, tap.heard))

"""A headquarters as a real process: admission, quarantine, and the cost of a sync."""

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.core.settle import pack_head
from fieldsync.core.state import canonical_bytes, register_of
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey, make_certificate
from fieldsync.protocol import invites, join_server, sync_once
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.http_client import ServerConnection
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import changes, commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.server import administration, device_locks
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import to_base64
from fieldsync.wire.protocols import PROTOCOL
from tests import cast, directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast, Served

FAMILY = Changes(set={"family_name": "محمد أحمد", "location": "جبلة"})


def held(node: Node) -> dict[bytes, bytes]:
    """Return all records' registers as bytes."""
    return {record: canonical_bytes(row.state) for record, row in rows(node).items()}


def line_to(node: Node) -> tuple[ServerConnection, Any]:
    """Return a line to a laptop's server, and what the laptop knows of it."""
    with node.store.read() as tx:
        server = tx.servers()[0]
    return ServerConnection(server.address, server.pin, SyncTally()), server


def signed(node: Node, path: str, nonce: bytes, hello: bytes, rest: bytes | None = None) -> dict[str, str]:
    """Return the headers of a request that a laptop has signed; `rest` is what follows the hello, where that is signed, too."""
    with node.store.read() as tx:
        server = tx.servers()[0].id
    asked = chain.SignedRequest("POST", path, "", nonce, hello, rest)
    signature = node.key.sign(chain.signed_request(PROTOCOL, server, asked))
    return {"Authorization": f"FS {to_base64(node.device)}.{to_base64(nonce)}.{to_base64(signature)}"}


def conflict(people: Served) -> str:
    """Have Amal and Basim change one family's place at once; everybody knows of it. Return its id."""
    family = save.add_record(people.amal, "household", FAMILY, unit=JBL).hex()
    for node in (people.amal, people.basim):
        sync_once.sync_once(node)
    save.edit_record(people.amal, family, Changes(set={"location": "اللاذقية"}))
    save.edit_record(people.basim, family, Changes(set={"location": "طرطوس"}))
    for node in (people.amal, people.basim, people.amal, people.samar):
        sync_once.sync_once(node)
    return family


# --- what a sync costs ------------------------------------------------------------------------------------------------


def test_an_empty_sync_is_one_small_request(served: Served) -> None:
    """One request and fewer than 1,000 bytes both ways, headers included."""
    save.add_record(served.amal, "household", FAMILY)
    sync_once.sync_once(served.amal)
    told = sync_once.sync_once(served.amal)
    assert told.requests == 1
    assert told.up.bytes + told.down.bytes < 1_000
    assert (told.up.commits, told.down.states, told.digest) == (0, 0, "equal")


def test_a_conflict_is_decided_and_undone(served: Served) -> None:
    """Two laptops change one field offline; Samar decides; both get the decision, and she can undo it."""
    family = conflict(served)
    for node in served.laptops:
        (item,) = decisions.list_conflicts(node)
        assert {head.value for head in item.heads} == {"اللاذقية", "طرطوس"}
        assert item.base == "جبلة"
    chosen = next(head for head in decisions.list_conflicts(served.samar)[0].heads if head.by == "Amal")
    decisions.decide_conflict(served.samar, family, "location", head=chosen.name, note="زيارة")
    assert [sync_once.sync_once(node).digest for node in (served.samar, served.amal, served.basim)] == ["equal"] * 3
    for node in served.laptops:
        assert decisions.list_conflicts(node) == []
        assert queries.show(node, family).fields["location"] == "اللاذقية"
    decisions.undo_decision(served.samar, family, "location")
    told = [sync_once.sync_once(node) for node in (served.samar, served.amal, served.basim)]
    assert [(one.digest, one.refused) for one in told] == [("equal", 0)] * 3
    assert [len(decisions.list_conflicts(node)) for node in served.laptops] == [1, 1, 1]
    assert held(served.amal) == held(served.basim) == held(served.hq)


# --- nonces -----------------------------------------------------------------------------------------------------------


def test_a_replayed_request_is_refused(served: Served) -> None:
    """The exact bytes of an accepted request are refused the second time."""
    save.add_record(served.amal, "household", FAMILY)
    line, server = line_to(served.amal)
    client = SyncClient(served.amal, server, SyncTally())
    hello = client.hello()
    body = hello + b"".join(client.commit_frames())
    headers = signed(served.amal, "/v2/sync", server.nonce, hello)
    line.post_request("/v2/sync", body, headers).raw.read()
    before = held(served.hq)
    assert len(before) == 1
    with pytest.raises(errors.StaleNonce):
        line.post_request("/v2/sync", body, headers)
    assert held(served.hq) == before
    line.close()


def test_a_lost_nonce_costs_one_more_request(served: Served) -> None:
    """A laptop whose last answer was lost, or without any nonce, gets a fresh one and sends everything."""
    for nonce in (b"", b"x" * 16, b"\0" * 40):
        save.add_record(served.amal, "household", FAMILY)
        with served.amal.store.write() as tx:
            tx.sql("UPDATE server SET nonce = ?", (nonce,))
        told = sync_once.sync_once(served.amal)
        assert told.requests == 2
        assert told.digest == "equal"
        assert held(served.hq) == held(served.amal)


def test_a_foreign_or_older_nonce_is_refused(served: Served) -> None:
    """Nonces are issued to one device and increase."""
    with served.amal.store.read() as tx:
        old = tx.servers()[0].nonce
    sync_once.sync_once(served.amal)
    line, server = line_to(served.amal)
    client = SyncClient(served.amal, server, SyncTally())
    hello = client.hello()
    with pytest.raises(errors.StaleNonce):
        line.post_request("/v2/sync", hello, signed(served.amal, "/v2/sync", old or b"", hello))
    _, basims = line_to(served.basim)
    with pytest.raises(errors.StaleNonce):
        line.post_request("/v2/sync", hello, signed(served.amal, "/v2/sync", basims.nonce, hello))
    line.close()


def test_a_request_signed_for_another_path_query_or_hello_is_refused(served: Served) -> None:
    """The signature covers method, path, query, nonce and hello; a stolen nonce without the key is useless."""
    line, server = line_to(served.amal)
    hello = SyncClient(served.amal, server, SyncTally()).hello()
    other = SyncClient(served.amal, server, SyncTally()).hello(where=True)
    good = signed(served.amal, "/v2/sync", server.nonce, hello)
    attempts: list[tuple[str, bytes, dict[str, str]]] = [
        ("/v2/sync", other, good),
        ("/v2/heal", hello, good),
        ("/v2/sync?x=1", hello, good),
        ("/v2/sync", hello, signed(served.basim, "/v2/sync", server.nonce, hello) | {"X": "1"}),
        ("/v2/sync", hello, {"Authorization": good["Authorization"][:-4] + "AAAA"}),
        ("/v2/sync", hello, {"Authorization": "FS x.y"}),
        ("/v2/sync", hello, {"Authorization": "Basic QTpC"}),
        ("/v2/sync", hello, {"Authorization": "FS 1.2.3"}),
        ("/v2/sync", hello, {}),
    ]
    for path, body, headers in attempts:
        with pytest.raises(errors.Refused):
            line.post_request(path, body, headers)
    assert line.post_request("/v2/sync", hello, good).status_code == 200
    line.close()


# --- who is let in ----------------------------------------------------------------------------------------------------


def test_a_revoked_laptop_is_refused_from_its_next_request(served: Served) -> None:
    """Revoked beside the running server, it can neither push nor pull; its earlier commits stay."""
    save.add_record(served.amal, "household", FAMILY)
    sync_once.sync_once(served.amal)
    before = held(served.hq)
    assert device_locks.revoke_device(served.hq, served.amal.letters).state == "revoked"
    save.add_record(served.amal, "household", FAMILY)
    for _ in range(2):
        with pytest.raises(errors.Revoked):
            sync_once.sync_once(served.amal)
    assert held(served.hq) == before
    sync_once.sync_once(served.basim)
    assert held(served.basim) == before


def test_an_unknown_device_is_refused(served: Served) -> None:
    """A device that was never enrolled is unknown, however valid its signature."""
    line, server = line_to(served.amal)
    key = DeviceKey.generate()
    hello = SyncClient(served.amal, server, SyncTally()).hello()
    asked = chain.SignedRequest("POST", "/v2/sync", "", b"n" * 16, hello)
    signature = key.sign(chain.signed_request(PROTOCOL, server.id, asked))
    with pytest.raises(errors.UnknownDevice):
        line.post_request(
            "/v2/sync",
            hello,
            {"Authorization": f"FS {to_base64(key.device)}.{to_base64(b'n' * 16)}.{to_base64(signature)}"},
        )
    line.close()


def test_an_invite_is_single_use_and_expires(served: Served, tmp_path: Path) -> None:
    """Used, expired or foreign invites and garbage are refused and leave no store behind."""
    text = administration.make_invite(served.hq, "Huda", "caseworker", [JBL]).invite
    invite = invites.parse_invite(text)
    join_server.join_server(invite, tmp_path / "huda", cast.fill)
    huda = cast.open_node(tmp_path / "huda")
    assert sync_once.sync_once(huda).digest == "equal"
    huda.close()
    expired = invites.parse_invite(administration.make_invite(served.hq, "Huda", "caseworker", [JBL], hours=-1).invite)
    fresh = invites.parse_invite(administration.make_invite(served.hq, "Huda", "caseworker", [JBL]).invite)
    bad = {
        "used": invite,
        "expired": expired,
        "unknown": msgspec.structs.replace(fresh, secret=b"x" * 16),
    }
    for reason, one in bad.items():
        with pytest.raises(errors.InviteInvalid) as caught:
            join_server.join_server(one, tmp_path / reason, cast.fill)
        assert caught.value.facts["reason"] == reason
        assert not (tmp_path / reason).exists()
    for garbage in (
        "",
        "fieldsync:1:",
        "fieldsync:1:!!!",
        "fieldsync:2:AAAA",
        text[:-9],
        "x" * 5_000,
        text + "AAAA",
        "fieldsync:1:gA",
    ):
        with pytest.raises(errors.InviteInvalid):
            invites.parse_invite(garbage)
    assert invites.parse_invite(f"  {text[:40]}\n {text[40:]} \n") == invite


def test_joining_never_overwrites_a_store(served: Served) -> None:
    """An invite never writes over an existing store."""
    invite = invites.parse_invite(administration.make_invite(served.hq, "Huda", "caseworker", [JBL]).invite)
    with pytest.raises(errors.StoreExists):
        join_server.join_server(invite, served.home / "amal", cast.fill)


# --- the right server -------------------------------------------------------------------------------------------------


@contextmanager
def impostor(tmp_path: Path) -> Iterator[tuple[int, Queue[bytes]]]:
    """Listen with another certificate; collect every byte that is sent inside of TLS."""
    certificate, key = make_certificate(["127.0.0.1"])
    (tmp_path / "impostor.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "impostor.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    heard: Queue[bytes] = Queue()

    def listen() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as line:
                    line.settimeout(5)
                    heard.put(line.recv(1))
            except OSError:
                heard.put(b"")

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield listener.getsockname()[1], heard
    listener.close()


def test_a_server_with_another_certificate_gets_no_data(people: Cast, tmp_path: Path) -> None:
    """WrongServer, in a sync and when joining, before any byte of HTTP is sent."""
    save.add_record(people.amal, "household", FAMILY)
    with impostor(tmp_path) as (port, heard):
        with people.amal.store.write() as tx:
            tx.sql("UPDATE server SET address = ?", (f"https://127.0.0.1:{port}",))
        with pytest.raises(errors.WrongServer):
            sync_once.sync_once(people.amal)
        invite = invites.parse_invite(administration.make_invite(people.hq, "Huda", "caseworker", [JBL]).invite)
        with pytest.raises(errors.WrongServer):
            join_server.join_server(
                msgspec.structs.replace(invite, address=f"https://127.0.0.1:{port}"), tmp_path / "huda", cast.fill
            )
        assert [heard.get(timeout=10) for _ in range(2)] == [b"", b""]
    assert not (tmp_path / "huda").exists()


def test_an_unreachable_server_reports_pending_commits(people: Cast, port: int) -> None:
    """One clear error without a traceback."""
    save.add_record(people.amal, "household", FAMILY)
    with people.amal.store.write() as tx:
        tx.sql("UPDATE server SET address = ?", (f"https://127.0.0.1:{port}",))
    with pytest.raises(errors.Unreachable) as caught:
        sync_once.sync_once(people.amal)
    assert caught.value.facts["unsent"] == 1


def test_proxy_settings_of_the_environment_are_ignored(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxies, certificate authorities and .netrc of the environment are not used."""
    trap = socket.create_server(("127.0.0.1", 0))
    trap.settimeout(0.2)
    where = f"http://127.0.0.1:{trap.getsockname()[1]}"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, where)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file.pem"))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login amal password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    assert sync_once.sync_once(served.amal).digest == "equal"
    with pytest.raises(TimeoutError):
        trap.accept()
    trap.close()


# --- what is kept aside -----------------------------------------------------------------------------------------------


def test_a_caseworker_cannot_write_into_another_unit(served: Served) -> None:
    """The commit is kept but not applied; its author sees the reason, and later commits are applied."""
    node = served.amal
    kind = node.schema.type("household")
    with node.store.write() as tx:
        fields = {"_code": commit_writer.next_code(node, tx, QRD)[0], "_unit": QRD, "family_name": "محمد"}
        commit_writer.commit_drafts(
            node, tx, [changes.Draft(node.new_id(), "household", kind.version, dict(sorted(fields.items())), {})]
        )
    good = save.add_record(node, "household", FAMILY)
    told = sync_once.sync_once(node)
    assert told.refused == 1
    (refused,) = queries.status(node).refused
    assert (refused["seq"], refused["code"], refused["unit"]) == (1, "unit_refused", QRD)
    assert set(rows(served.hq)) == {good}
    with served.hq.store.read() as tx:
        assert [c.seq for c in tx.commits_behind(node.device, 0)] == [1, 2]
    assert sync_once.sync_once(node).refused == 0


def test_a_caseworker_cannot_decide_a_conflict(served: Served) -> None:
    """A tampered laptop covers all heads or writes a decision: quarantined, and the conflict stays open."""
    family = conflict(served)
    save.edit_record(
        served.samar, family, Changes(set={"location": "دمشق"})
    )  # a third head: neither Amal's nor what she was shown alone
    sync_once.sync_once(served.samar)
    sync_once.sync_once(served.amal)
    node = served.amal
    row = rows(node)[bytes.fromhex(family)]
    kind = node.schema.type("household")
    over = [pack_head(head) for head in register_of(row.state, "location").heads]
    for fields in ({"location": "حلب"}, {"_decided/location": {"heads": over}, "location": "حمص"}):
        with node.store.write() as tx:
            commit_writer.commit_drafts(node, tx, [save.draft_edit(node, row, kind, fields, decides=True)])
    assert sync_once.sync_once(node).refused == 2
    assert {one["code"] for one in queries.status(node).refused} == {"undecided", "role_refused"}
    (item,) = decisions.list_conflicts(served.hq)
    assert {head.value for head in item.heads} >= {"دمشق"}
    assert len(item.heads) > 1
    assert held(node) == held(served.hq)


def test_illegal_values_are_quarantined(served: Served) -> None:
    """Unknown types and fields, values out of bounds and invented system fields never reach a record."""
    node = served.amal
    odd: list[tuple[str, dict[str, Any]]] = [
        ("no_such_type", {}), ("household", {"no_such_field": 1}), ("household", {"size_stated": 5_000}), ("household", {"size_stated": "5"}),
        ("household", {"family_name": "x\u202ey"}), ("household", {"family_name": ["a"]}), ("household", {"groups": ["no_such_group"]}),
        ("household", {"_admin": True}), ("household", {"_unit": "../etc"}), ("household", {"_code": "x"}), ("household", {"family_name": {"a": 1}}),
        ("household", {"groups/idp": "yes"}), ("household", {"groups": None}), ("case", {"reopen_count/" + "0" * 32: 5}), ("case", {"reopen_count": 5}),
        ("case", {"notes": "x"}), ("household", {"size": 5}),
    ]  # fmt: skip
    for type_, fields in odd:
        with node.store.write() as tx:
            whole = {"_code": commit_writer.next_code(node, tx, JBL)[0], "_unit": JBL, **fields}
            commit_writer.commit_drafts(
                node, tx, [changes.Draft(node.new_id(), type_, 1, dict(sorted(whole.items())), {})]
            )
    good = save.add_record(node, "household", FAMILY)
    assert sync_once.sync_once(node).refused == len(odd)
    held = rows(node)
    with node.store.read() as tx:  # what nobody applied stays with its author, in no channel
        assert {record for record, row in held.items() if row.channels != [tx.departed_channel]} == {good}
    assert set(rows(served.hq)) == {good}
    assert len(held) == 1 + len(odd)


# --- gaps, forks, restores --------------------------------------------------------------------------------------------


def test_a_gap_is_filled_automatically(served: Served) -> None:
    """A laptop that overestimates its acknowledged commits is asked for the missing ones and sends them."""
    for _ in range(3):
        save.add_record(served.amal, "household", FAMILY)
    with served.amal.store.write() as tx:
        tx.set_acknowledged(tx.servers()[0].id, served.amal.device, 2, 0)
    assert sync_once.sync_once(served.amal).digest == "equal"
    assert held(served.hq) == held(served.amal)


def test_a_server_restored_from_a_backup_gets_everything_again(served: Served, tmp_path: Path) -> None:
    """Commits sent since the backup are sent again; nothing is lost, and the digests are equal."""
    served.server.stop()
    served.hq.close()
    shutil.copytree(served.home / "hq", tmp_path / "backup")
    served.server.start()
    for _ in range(3):
        save.add_record(served.amal, "household", FAMILY)
        sync_once.sync_once(served.amal)
    served.server.stop()
    shutil.rmtree(served.home / "hq")
    shutil.copytree(tmp_path / "backup", served.home / "hq")
    served.server.start()
    served.hq = served.open("hq")
    for _ in range(2):
        for node in (served.amal, served.basim):
            sync_once.sync_once(node)
    assert held(served.hq) == held(served.amal) == held(served.basim)
    assert len(held(served.hq)) == 3


def test_a_cloned_laptop_becomes_a_new_device(served: Served) -> None:
    """Two laptops with one identity: the second to write is detected and renewed, and both edits are kept."""
    family = save.add_record(served.amal, "household", FAMILY).hex()
    sync_once.sync_once(served.amal)
    served.amal.close()
    shutil.copytree(served.home / "amal", served.home / "clone")
    served.amal = served.open("amal")
    clone = served.open("clone")
    save.edit_record(served.amal, family, Changes(set={"location": "اللاذقية"}))
    save.edit_record(clone, family, Changes(set={"location": "طرطوس"}))
    assert not sync_once.sync_once(served.amal).renewed
    renewed = sync_once.sync_once(clone).renewed
    assert (renewed.carried, renewed.codes) == (1, {})
    assert clone.device != served.amal.device
    assert sync_once.sync_once(served.amal).renewed.carried == 0  # nobody goes on under the old name
    assert not sync_once.sync_once(clone).renewed
    assert sync_once.sync_once(served.amal).device_pending  # the second to go on waits for approval
    directly.approve(served.amal, hq=served.hq)
    assert not sync_once.sync_once(served.amal).device_pending
    heads = (queries.show(served.hq, family, all_heads=True).registers or {})["location"]
    assert {head.value for head in heads} == {"اللاذقية", "طرطوس"}
    assert held(served.hq) == held(served.amal) == held(clone)
    clone.close()


def test_a_copy_of_a_revoked_laptop_gets_no_new_identity(served: Served) -> None:
    """A copy of a revoked device cannot be renewed."""
    save.add_record(served.amal, "household", FAMILY)
    sync_once.sync_once(served.amal)
    with served.amal.store.write() as tx:
        tx.settings.restored = True
    with served.hq.store.write() as tx:
        tx.set_device_state(served.amal.device, "revoked")
        before = len(tx.devices())
    with pytest.raises(errors.Revoked):
        sync_once.sync_once(served.amal)
    with served.hq.store.write() as tx:
        tx.set_device_state(served.amal.device, "forked")  # a state only rises
    with pytest.raises(errors.Revoked):
        sync_once.sync_once(served.amal)
    with served.hq.store.write() as tx:  # as if it had been copied, and never locked out
        tx.sql("UPDATE device SET state = 'forked' WHERE id = ?", (served.amal.device,))
    assert sync_once.sync_once(served.amal).renewed.carried == 0
    with served.hq.store.read() as tx:
        assert len(tx.devices()) == before + 1


# --- repeats ----------------------------------------------------------------------------------------------------------


def test_repeated_frames_count_once(people: Cast) -> None:
    """Delivered repeatedly, up and down: one log entry, the same registers, the same sequence numbers."""
    family = save.add_record(people.amal, "household", FAMILY).hex()
    save.edit_record(people.amal, family, Changes(set={"location": "اللاذقية"}, put={"phones": ["0944123456"]}))
    directly.sync(people.amal, people.hq, again=100)
    directly.sync(people.basim, people.hq, again=100)
    with people.hq.store.read() as tx:
        assert [c.seq for c in tx.commits_behind(people.amal.device, 0)] == [1, 2]
        arrivals = [(channel.unit, channel.arrival, channel.records) for channel in tx.channels()]
    assert held(people.hq) == held(people.amal) == held(people.basim)
    directly.sync(people.amal, people.hq)
    with people.hq.store.read() as tx:
        assert arrivals == [(channel.unit, channel.arrival, channel.records) for channel in tx.channels()]


# --- what only an enemy sends -----------------------------------------------------------------------------------------


def test_garbage_gets_a_4xx_with_a_code(served: Served) -> None:
    """Any bytes on any path get a 4xx with a code; the server's log has no traceback (checked when it stops)."""
    line, server = line_to(served.amal)
    codec = FrameCodec()
    hello = codec.pack_frame(FrameKind.HELLO, messages.encode(messages.Hello(PROTOCOL, b"", 0, 0, b"")))
    future = codec.pack_frame(FrameKind.HELLO, messages.encode(messages.Hello(PROTOCOL + 1, b"", 0, 0, b"")))
    bodies = [
        b"",
        b"\0",
        b"x" * 1_000,
        b"\x91" * 100_000,
        hello[:-1],
        hello + b"\x02\xff\xff\xff\xff",
        codec.pack_frame(FrameKind.END, b"\x90"),
        future,
    ]
    for path in ("/v2/sync", "/v2/heal", "/v2/join", "/", "/v2/../etc"):
        for body in bodies:
            with pytest.raises(errors.FieldsyncError):
                line.post_request(path, body, signed(served.amal, path, b"", body))
    nonce = server.nonce
    for frames in (
        b"\x02\0\0\0\x01x",
        codec.pack_frame(FrameKind.COMMITS, b"\x93\xc4\x00\xc4\x00\xc4\x00"),
        codec.pack_frame(FrameKind.HELLO, b""),
        b"\x02\0",
    ):
        hello = SyncClient(served.amal, server, SyncTally()).hello()
        try:
            line.post_request("/v2/sync", hello + frames, signed(served.amal, "/v2/sync", nonce, hello))
        except errors.StaleNonce as stale:
            nonce = stale.nonce  # type: ignore[attr-defined]
            with pytest.raises(errors.BadInput):
                line.post_request("/v2/sync", hello + frames, signed(served.amal, "/v2/sync", nonce, hello))
        except errors.BadInput:
            pass
    line.close()
    assert sync_once.sync_once(served.amal).digest == "equal"


def test_idle_connections_do_not_block_others(served: Served) -> None:
    """With a hundred silent connections others are still served."""
    with served.amal.store.read() as tx:
        port = int(tx.servers()[0].address.rpartition(":")[2])
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    assert sync_once.sync_once(served.amal).digest == "equal"
    for one in idle:
        one.close()


def test_other_units_are_indistinguishable_from_unknown_ones(served: Served) -> None:
    """Amal asks for a foreign unit, an unknown unit and ids of others: the answers are the same."""
    hidden = save.add_record(served.samar, "household", FAMILY, unit=QRD)
    sync_once.sync_once(served.samar)
    sync_once.sync_once(served.amal)
    assert hidden not in rows(served.amal)
    for unit in (QRD, "LAT/NONE", "LAT", "DAM"):
        line, server = line_to(served.amal)
        client = SyncClient(served.amal, server, SyncTally())
        hello = client.hello(where=True)
        ask = client.codec.pack_frame(FrameKind.ASK, messages.encode(messages.Ask(unit, (), (hidden,))))
        with pytest.raises(errors.Refused) as caught:
            line.post_request("/v2/heal", hello + ask, signed(served.amal, "/v2/heal", server.nonce, hello, ask))
        if isinstance(caught.value, errors.StaleNonce):
            with pytest.raises(errors.UnitRefused):
                fresh = caught.value.nonce  # type: ignore[attr-defined]
                line.post_request("/v2/heal", hello + ask, signed(served.amal, "/v2/heal", fresh, hello, ask))
        line.close()


def test_the_server_s_output_has_no_personal_data(served: Served) -> None:
    """Names and values are in none of its output, refusals and faults included."""
    planted = "محمدالمزروع"
    save.add_record(served.amal, "household", Changes(set={"family_name": planted}))
    with served.amal.store.write() as tx:
        fields = {"_code": "x", "_unit": JBL, "family_name": planted}
        commit_writer.commit_drafts(
            served.amal, tx, [changes.Draft(served.amal.new_id(), planted, 1, dict(sorted(fields.items())), {})]
        )
    sync_once.sync_once(served.amal)
    served.server.stop()
    assert planted not in "".join(served.server.said)
    served.server.start()

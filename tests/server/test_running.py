"""A running server: a clean stop during a sync, slow clients, and administration meanwhile."""

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fieldsync.core.state import canonical_bytes
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.server.app import HELLO_SECONDS
from fieldsync.server.http_server import STOP_SECONDS
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from tests.cast import rows
from tests.lines import Relay, closing, reply, tls
from tests.offices import Hand, Office

SLOW = 50


def push(hand: Hand) -> tuple[bytes, bytes]:
    """Return a laptop's push in two parts: the request with its first frame of commits, and the second."""
    hello, one, two = hand.hello(), hand.commits(0, upto=700), hand.commits(700)
    size = len(hello + one + two)
    head = f"POST /v2/sync HTTP/1.1\r\nHost: x\r\nAuthorization: {hand.proof('/v2/sync', hello)}\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + hello + one, two


def test_sigterm_lets_running_syncs_finish(own_office: Office) -> None:
    """SIGTERM during a push: running requests get their answers, then the process exits with 0 and everything is on disk."""
    own_office.register("amal", 1_400)
    hand = Hand(own_office["amal"], own_office.port)
    first, second = push(hand)
    with tls(own_office.port) as connection, ThreadPoolExecutor(1) as other:
        connection.sendall(first)
        until(lambda: bool(rows(own_office["hq"])))  # the first frame is taken
        stopping = other.submit(own_office.server.stop, signal.SIGTERM)
        until(lambda: not accepts(own_office.port))
        connection.sendall(second)
        answer = hand.read(reply(connection))
        connection.close()
        assert stopping.result(10) == 0
    assert answer.status == 200
    assert answer.message(FrameKind.ACK, messages.Ack).head == 1_400
    assert [line for line in own_office.server.said if "Traceback" in line] == []
    mine, theirs = rows(own_office["amal"]), rows(own_office["hq"])
    assert {record: canonical_bytes(row.state) for record, row in mine.items()} == {
        record: canonical_bytes(row.state) for record, row in theirs.items()
    }


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def accepts(port: int) -> bool:
    """Say whether somebody listens there."""
    try:
        tls(port).close()
    except OSError:
        return False
    return True


def test_an_idle_server_stops_at_once(own_office: Office) -> None:
    """Open but idle connections do not delay it."""
    idle = [tls(own_office.port) for _ in range(3)]
    started = time.monotonic()
    assert own_office.server.stop(signal.SIGTERM) == 0
    assert time.monotonic() - started < STOP_SECONDS / 2  # which it would wait for a sync
    for one in idle:
        one.close()


def test_slow_clients_do_not_delay_others(own_office: Office) -> None:
    """Fifty clients send a byte at a time; a laptop's push and another's pull complete meanwhile."""
    own_office.register("amal", 500)
    hand = Hand(own_office["samar"], own_office.port)
    first, second = b"POST /v2/join HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n", hand.hello()
    third = f"POST /v2/sync HTTP/1.1\r\nHost: x\r\nContent-Length: {len(second) + 9}\r\n\r\n".encode() + second
    done = threading.Event()
    crowd = [tls(own_office.port) for _ in range(SLOW)]

    def dribble() -> None:
        sent = 0
        while not done.wait(1):
            for i, one in enumerate(crowd):
                said = first if i % 2 else third
                one.sendall(said[sent : sent + 1] or b"x")
            sent += 1

    for i, one in enumerate(crowd):  # some are stuck in their headers, some in their body
        one.sendall((first, third)[i % 2][: 10 if i % 3 else -1])
    slow = threading.Thread(target=dribble)
    slow.start()
    try:
        started = time.monotonic()
        assert [one.digest for one in own_office.sync("amal", "basim", "samar", "amal")] == ["equal"] * 4
        assert time.monotonic() - started < HELLO_SECONDS / 2  # when the slow are hung up on, and all could go on
    finally:
        done.set()
        slow.join()
        for one in crowd:
            one.close()
    own_office.equal("amal", "basim", "samar")


@pytest.mark.long
def test_an_unfinished_hello_times_out(own_office: Office) -> None:
    """Half a hello, then nothing for half a minute: 408."""
    hello = Hand(own_office["amal"], own_office.port).hello()
    with tls(own_office.port) as connection:
        connection.settimeout(60)
        connection.sendall(b"POST /v2/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n" + hello[:9])
        assert reply(connection).status == 408


def test_invites_and_revocations_apply_while_the_server_runs(own_office: Office) -> None:
    """Commands work on a running server's store: invites and revocations take effect at once."""
    made = own_office.json("hq", "server", "invite", "هدى", "--role", "caseworker", "--unit", "LAT/JBL")
    joined = own_office.json("huda", "join", made["invite"])
    assert (joined["person"], joined["units"], joined["sync"]["digest"]) == ("هدى", ["LAT/JBL"], "equal")
    added = own_office.json("huda", "add", "household", "--set", "family_name=محمد")
    assert own_office.json("huda", "sync")["up"]["commits"] == 1
    own_office.sync("amal")
    assert added["id"].replace("-", "") in {record.hex() for record in rows(own_office["amal"])}
    again = own_office.run("other", "join", made["invite"], "--json")
    assert (again.returncode, '"invite_invalid"' in again.stdout) == (7, True)
    assert not (own_office.home / "other" / "slots.json").exists()
    own_office.json("hq", "server", "revoke", joined["device"])
    assert own_office.run("huda", "sync").returncode == 7
    listed = {one["device"]: one["state"] for one in own_office.json("hq", "server", "devices")}
    assert listed[joined["device"]] == "revoked"
    assert set(listed.values()) == {"enrolled", "revoked"}


@pytest.mark.parametrize(
    "invite",
    ["", "fieldsync:1:", "fieldsync:1:%%%", "fieldsync:2:AAAA", "https://127.0.0.1", "fieldsync:1:" + "A" * 3_000],
)
def test_an_invalid_invite_is_refused(office: Office, invite: str) -> None:
    """One line, exit code 7, and no folder is made."""
    done = office.run("nobody", "join", invite)
    assert done.returncode == 7
    assert len(done.stderr.strip().splitlines()) <= 2
    assert not (office.home / "nobody").exists()


def test_several_laptops_sync_at_once(own_office: Office) -> None:
    """Three laptops push and pull concurrently, repeatedly; each is served, and in the end all are equal."""
    for i in range(3):
        for name in ("amal", "basim", "samar"):
            own_office.register(name, 40 * (i + 1))
        with ThreadPoolExecutor(3) as pool:
            told = list(pool.map(lambda name: own_office.sync(name)[0], ("amal", "basim", "samar")))
        assert {one.digest for one in told} == {"equal"}
        family = min(rows(own_office["hq"])).hex()
        for name in ("amal", "basim"):
            own_office.sync(name)
            save.edit_record(own_office[name], family, Changes(set={"location": f"{name} {i}"}))
    own_office.sync("amal", "basim", "samar", "amal", "basim")
    own_office.equal("amal", "basim", "samar")


def test_a_lost_answer_causes_no_duplicates(own_office: Office) -> None:
    """The server has committed, and its answer is lost: the laptop asks for its position and sends nothing twice."""
    own_office.register("amal", 200)
    with closing(Relay(own_office.port)) as line:
        own_office.meets("amal", line.port)
        line.swallow_after = 2_000
        own_office.shut("amal")
        done = own_office.run("amal", "sync", "--tries", "1", "--json")
        assert done.returncode == 6
        assert line.up > 2_000
        line.whole()
        own_office.server.stop()  # it ends what it has begun: of what came whole, nothing is still to be taken
        own_office.server.start()
        amal = own_office["amal"].device
        own_office.shut("amal")
        with own_office["hq"].store.read() as tx:
            held = len(
                list(tx.commits_behind(amal, 0))
            )  # all, unless the line went dead before the last frame was through
        assert held > 0
        synced = own_office.json("amal", "sync")
    told = synced["requests"], synced["up"]["commits"], synced["digest"]
    assert told == (3, 200 - held, "equal")  # stale nonce, where, sync
    own_office.equal("amal")
    with own_office["hq"].store.read() as tx:
        assert len(list(tx.commits_behind(own_office["amal"].device, 0))) == 200

"""Unreliable connections: cut at any byte, slow, stalled, with duplicate requests. Progress is never lost."""

import random
from collections.abc import Iterator

import pytest

from fieldsync import errors
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import frame_sizing, retry, sync_once
from fieldsync.protocol import http_client as lines
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.retry import RetryWait
from fieldsync.protocol.server import SyncServer
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.wire import messages
from fieldsync.wire.frames import HEAD, FrameCodec
from tests import cast
from tests.lines import Answering, Relay, Thin, closing
from tests.offices import Office
from tests.scale import LONG
from tests.server.test_admission import certificate_of

HEADS_UP, HEADS_DOWN = 2_600, 4_200
"""What a try may cost besides frames: TLS's greeting, and the heads of the question where the server stands, asked twice at most
(its nonce may be lost), and of the sync itself."""

SEEDS = range(12 if LONG else 2)


def largest_up(node: Node) -> int:
    """The largest frame of commits that a laptop has to send."""
    with node.store.read() as tx:
        server = tx.servers()[0]
    return max(map(len, SyncClient(node, server, SyncTally()).commit_frames()))


def largest_down(node: Node, hq: Node) -> int:
    """The largest frame that the headquarters has for a laptop."""
    with node.store.read() as tx, hq.store.read() as other:
        server, device = tx.servers()[0], other.device(node.device)
    assert device is not None
    hello = SyncClient(node, server, SyncTally()).hello()
    codec = FrameCodec(hq.schema.compression_dictionary())
    _, plain = codec.unpack_payload(hello[0], hello[HEAD:])
    return max(map(len, SyncServer(hq, device, messages.decode_message(messages.Hello, plain), codec).answer_frames()))


class Cuts:
    """Ends each connection somewhere new; what persist calls while it waits."""

    def __init__(self, line: Relay, side: str, positions: Iterator[int]) -> None:
        self.line, self.side, self.positions = line, side, positions
        self.count = 0
        setattr(line, side, next(positions))

    def __call__(self, _seconds: float) -> None:
        self.count += 1
        setattr(self.line, self.side, next(self.positions, None))


def through(office: Office, name: str, side: str, positions: Iterator[int]) -> tuple[int, int, int]:
    """Sync over a line that is cut at each of these places in turn; return (bytes up, bytes down, cuts)."""
    with closing(Relay(office.port)) as line:
        office.meets(name, line.port)
        cuts = Cuts(line, side, positions)
        told = retry.sync_with_retries(cast.waiting(office[name], cuts), tries=1_000)
        assert told.digest == "equal"
        assert told.tries == cuts.count + 1
        return line.up, line.down, cuts.count


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of about 2 kB, so that there are many."""
    monkeypatch.setattr(frame_sizing, "_ROOM", 2_000)
    monkeypatch.setattr(frame_sizing, "_FIRST_ROWS", 16)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interrupted_push_repeats_less_than_a_frame(own_office: Office, small_frames: None, seed: int) -> None:
    """Cut after any number of bytes, often before any progress: less than one frame extra for each cut."""
    chance = random.Random(seed)
    for name in ("amal", "basim"):
        own_office.register(name, 900)
    largest = max(largest_up(own_office[name]) for name in ("amal", "basim"))
    ideal, *_ = through(own_office, "amal", "cut_up", iter([10**9]))
    up, _, cuts = through(own_office, "basim", "cut_up", (chance.randrange(1, 6_000) for _ in range(15)))
    own_office.equal("basim")
    with own_office["hq"].store.read() as tx:
        assert len(list(tx.commits_behind(own_office["basim"].device, 0))) == 900
    assert cuts > 4
    assert ideal > 5 * largest, "the work is much more than a frame"
    assert up - ideal < cuts * (largest + HEADS_UP)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_interrupted_pull_repeats_less_than_a_frame(own_office: Office, seed: int) -> None:
    """The same for fetched data."""
    chance = random.Random(seed)
    own_office.register("amal", 2_500)
    own_office.sync("amal")
    largest = largest_down(own_office["basim"], own_office["hq"])
    _, ideal, _ = through(own_office, "basim", "cut_down", iter([10**9]))
    positions = (chance.randrange(1, largest) for _ in range(12))
    _, down, cuts = through(own_office, "samar", "cut_down", positions)
    own_office.equal("samar")
    assert cuts > 2
    assert ideal > 2 * largest, "the work is much more than a frame"
    assert down - ideal < cuts * (largest + HEADS_DOWN)


def test_progress_of_an_attempt_is_kept(own_office: Office, small_frames: None) -> None:
    """Cut ever later: the acknowledged number never falls, and all data arrives in the end."""
    own_office.register("amal", 900)
    amal, held = own_office["amal"], []
    with closing(Relay(own_office.port)) as line:
        own_office.meets("amal", line.port)
        for limit in range(600, 20_000, 97 if LONG else 977):
            line.cut_up = limit
            try:
                sync_once.sync_once(amal)
            except errors.CutOff as fault:
                held.append(900 - int(str(fault.facts["unsent"])))
            else:
                break
        line.whole()
        sync_once.sync_once(amal)
    assert held == sorted(held)
    assert len(set(held)) > 2
    own_office.equal("amal")


def test_duplicate_requests_have_no_effect(own_office: Office) -> None:
    """All requests are also sent on a second connection: nothing is applied twice, and no client is disturbed."""
    own_office.register("amal", 50)
    with closing(Thin(own_office.port)) as line:
        line.twice = True
        own_office.meets("amal", line.port)
        assert retry.sync_with_retries(own_office["amal"]).up.commits == 50
    with own_office["hq"].store.read() as tx:
        assert [c.seq for c in tx.commits_behind(own_office["amal"].device, 0)] == list(range(1, 51))
    own_office.equal("amal")


def test_a_stalled_connection_is_closed_and_retried(own_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data and no close: after a timeout it counts as interrupted."""
    monkeypatch.setattr(lines, "READ_SECONDS", 0.3)
    own_office.register("amal", 50)
    told: list[RetryWait] = []
    with closing(Thin(own_office.port)) as line:
        own_office.meets("amal", line.port)
        line.still_after = 1_500

        def move_again(waiting: RetryWait) -> None:
            told.append(waiting)
            line.still_after = None
            monkeypatch.setattr(lines, "READ_SECONDS", 30)

        synced = retry.sync_with_retries(cast.waiting(own_office["amal"], lambda _: None), waiting=move_again)
    assert (told[0].reason, told[0].unsent) == ("cut_off", 50)
    assert (synced.tries, synced.up.commits, synced.digest) == (2, 50, "equal")


def test_a_slow_connection_syncs(own_office: Office) -> None:
    """Limited bandwidth and latency, cut twice: the sync completes."""
    own_office.register("amal", 600)
    chance = random.Random(1)
    cuts = (chance.randrange(3_000, 6_000) for _ in range(2))
    with closing(Thin(own_office.port, rate=100_000, delay=0.02, cuts=cuts)) as line:
        own_office.meets("amal", line.port)
        synced = retry.sync_with_retries(cast.waiting(own_office["amal"], lambda _: None))
        assert line.connections == 3
    assert (synced.tries, synced.digest) == (3, "equal")


@pytest.mark.long
def test_a_sync_at_20_kbit_s_and_600_ms(own_office: Office) -> None:
    """The promised worst connection: more data than the send buffer, larger than a frame, with interruptions."""
    own_office.register("amal", 2_500)
    chance = random.Random(1)
    cuts = (chance.randrange(4_000, 9_000) for _ in range(3))
    with closing(Thin(own_office.port, rate=2_500, delay=0.3, cuts=cuts)) as line:
        own_office.meets("amal", line.port)
        told: list[RetryWait] = []
        synced = retry.sync_with_retries(own_office["amal"], waiting=told.append)
        assert synced.up.commits == 2_500
        assert len(told) == 3
    own_office.equal("amal")


# --- when to try again ------------------------------------------------------------------------------------------------


def test_an_unknown_unreachable_server_is_not_retried(own_office: Office) -> None:
    """It fails at once and lists the pending commits; with --tries it retries within the backoff limits."""
    own_office.register("amal", 3)
    own_office.meets("amal", free_port())
    pauses: list[float] = []
    with pytest.raises(errors.Unreachable) as once:
        retry.sync_with_retries(cast.waiting(own_office["amal"], pauses.append))
    assert (once.value.facts["unsent"], once.value.facts["tries"], pauses) == (3, 1, [])
    with pytest.raises(errors.Unreachable) as often:
        retry.sync_with_retries(cast.waiting(own_office["amal"], pauses.append, 1.0), tries=9)
    assert often.value.facts["tries"] == 9
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_retries_without_progress_end(own_office: Office) -> None:
    """Six attempts in a row without progress; jitter may shorten a pause to nothing."""
    own_office.register("amal", 3)
    pauses: list[float] = []
    told: list[RetryWait] = []
    with closing(Relay(own_office.port)) as line:
        line.cut_up = 300
        own_office.meets("amal", line.port)
        with pytest.raises(errors.CutOff) as given_up:
            retry.sync_with_retries(cast.waiting(own_office["amal"], pauses.append, 0.0), waiting=told.append)
        assert line.connections == 6
    assert given_up.value.facts["tries"] == 6
    assert given_up.value.facts["unsent"] == 3
    assert pauses == [0] * 5
    assert [(one.next, one.of, one.unsent) for one in told] == [(n, 6, 3) for n in range(2, 7)]


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7),
        (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nslow", 30),
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", lines.BUSY_SECONDS),
        (b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", 0),
    ],
)
def test_retry_after_is_respected(own_office: Office, answer: bytes, least: int) -> None:
    """The client waits for Retry-After plus jitter, so that clients do not return at once."""
    own_office.register("amal", 2)
    pauses: list[float] = []
    with closing(Answering(certificate_of(own_office), [answer])) as busy:
        own_office.meets("amal", busy.port)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            own_office.meets("amal", own_office.port)

        synced = retry.sync_with_retries(cast.waiting(own_office["amal"], pause, 0.5))
    assert (synced.tries, synced.up.commits, synced.digest) == (2, 2, "equal")
    assert pauses == [least + 1]


def test_a_long_retry_after_ends_the_sync(own_office: Office) -> None:
    """It does not wait for hours: the user is informed."""
    hours = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n"
    with closing(Answering(certificate_of(own_office), [hours])) as busy:
        own_office.meets("amal", busy.port)
        with pytest.raises(errors.Busy) as told:
            retry.sync_with_retries(own_office["amal"], tries=5)
        assert busy.asked == 1
    assert told.value.facts["wait"] == 7_200


DEEP = b"[" * 60_000
HEALTH = [DEEP, b'{"protocol":' + b"1" * 6_000 + b',"now":1}', b'{"protocol":99,"now":-1}', b'"x"', b"", b"\0\xff"]
ODD = [
    b"HTTP/1.1 409 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    for body in (DEEP, b'{"error":{"code":"gap","facts":{"need":' + DEEP, b'{"error":{"code":"bad_version","facts":{"what":[1],"theirs":{}}}}')
] + [
    b"HTTP/1.1 200 X\r\nfieldsync-nonce: A\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 X\r\nfieldsync-nonce: \xe9\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 503 X\r\nRetry-After: " + b"9" * 6_000 + b"\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 100 X\r\n\r\n" * 9, b"\0" * 999,
    *(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body) for body in HEALTH),
]  # fmt: skip


@pytest.mark.parametrize("knows", [True, False])
def test_malformed_answers_are_typed_errors(own_office: Office, knows: bool) -> None:
    """Endless nesting, numbers of 6,000 digits, invalid nonces: the laptop reports an error and syncs with the next server."""
    own_office.register("amal", 1)
    node = own_office["amal"]
    for answer in ODD:
        if not knows:  # it asks first what the server speaks
            with node.store.write() as tx:
                tx.sql("DELETE FROM meta WHERE key LIKE 'protocol %'")
        with closing(Answering(certificate_of(own_office), [answer] * 4)) as odd:
            own_office.meets("amal", odd.port)
            with pytest.raises(errors.FieldsyncError):
                sync_once.sync_once(node)
    own_office.meets("amal", own_office.port)
    assert own_office.sync("amal")[0].digest == "equal"


def test_a_refusal_is_not_retried(own_office: Office) -> None:
    """Only connection errors are retried."""
    own_office.meets("amal", own_office.port)
    with own_office["amal"].store.write() as tx:
        tx.sql("UPDATE server SET pin = ?", (bytes(32),))
    with pytest.raises(errors.WrongServer):
        retry.sync_with_retries(cast.waiting(own_office["amal"], lambda _: pytest.fail("it waited")), tries=5)

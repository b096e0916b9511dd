"""Limits: small frames that expand to very many commits, and a device that never stops, do not delay others."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.commit_frames import MOST_BEFORE, MOST_COMMITS
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server.app import ServerApp
from fieldsync.server.rate_limit import Levels, OwnLevels, RateLimit
from fieldsync.server.shared_levels import SharedLevels
from fieldsync.wire import columns, messages, row_batches
from fieldsync.wire.frames import FrameCodec, FrameKind
from tests import directly
from tests.cast import JBL
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.offices import write


def const(value: object) -> bytes:
    """Return a column of any length that says one thing."""
    return bytes((columns.CONST,)) + msgspec.msgpack.encode(value)


def many(count: int, device: bytes) -> bytes:
    """Return rows that stand for so many empty commits, in a few hundred bytes."""
    steps = bytes((columns.INTEGERS,)) + msgspec.msgpack.encode((1, 1, 1, 0, b""))
    body = (
        1, count, ([const(0), steps, const(1), const(0)], (count, const(0), 0, [])), const(0), bytes(16 * count), const(None),
        ([], [[]], const(0), []), const(0), (0, b"", 0, []), [],
    )  # fmt: skip
    return msgspec.msgpack.encode(([device], ["Amal"], [("household", 1)], body))


@pytest.mark.parametrize(("count", "taken"), [(MOST_COMMITS, True), (MOST_COMMITS + 1, False), (60_000, False)])
def test_a_small_frame_with_too_many_commits_is_refused(people: Cast, count: int, taken: bool) -> None:
    """A frame holds at most 2,000 commits; more are refused before they are decoded."""
    device = people.amal.device
    frame = FrameCodec().pack_frame(
        FrameKind.COMMITS, messages.encode(messages.Commits(device, bytes(64), many(count, device)))
    )
    assert len(frame) < 1_000
    with people.hq.store.read() as tx:
        known = tx.device(device)
    assert known is not None
    kind, payload = FrameCodec().unpack_payload(frame[0], frame[5:])
    serving = SyncServer(people.hq, known, messages.Hello(2, b"", 0, 0, b""), FrameCodec())
    if taken:
        assert len(serving.read_frame(kind, payload).commits) == count
        return
    with pytest.raises(errors.TooLarge):
        serving.read_frame(kind, payload)


def test_frames_of_4_000_commits_from_0_1_are_accepted(people: Cast) -> None:
    """Protocol 1 frames hold up to 4,000 commits and are accepted from laptops and branches; bundles have no such limit."""
    device = people.amal.device
    with people.hq.store.read() as tx:
        known = tx.device(device)
    assert known is not None
    for hello, skew, most in (
        (messages.Hello(1, b"", 0, 0, b""), None, MOST_BEFORE),
        (messages.Hello(2, b"", 0, 0, b""), 0, 20_000),
    ):
        serving = SyncServer(people.hq, known, hello, FrameCodec(), skew=skew)
        payload = messages.encode(messages.Commits(device, bytes(64), many(most, device)))
        assert len(serving.read_frame(FrameKind.COMMITS, payload).commits) == most


def test_a_long_import_is_split_into_frames_within_the_limit(people: Cast) -> None:
    """Amal's laptop has 4,500 pending commits: each frame holds at most 2,000, online and in a bundle."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    write(people.amal, record, *({"location": "x"} for _ in range(4_500)))
    talk = directly.Direct(people.amal, people.hq)
    sizes = []
    for frame in talk.client.commit_frames():
        _, payload = talk.client.codec.unpack_payload(frame[0], frame[5:])
        sizes.append(len(row_batches.unpack_commits(messages.decode_message(messages.Commits, payload).rows)))
    assert (sum(sizes), max(sizes) <= MOST_COMMITS) == (4_501, True)
    bundle_sync.pack_bundle(people.amal, people.home / "up")
    assert bundle_sync.unpack_bundle(people.hq, people.home / "up").up.commits == 4_501


def test_the_commits_of_a_frame_are_limited_in_size(people: Cast) -> None:
    """2,000 commits of 45 KB in one frame, 90 MB of log, are refused."""
    device, count = people.amal.device, 2_000
    devices, authors, types, body = msgspec.msgpack.decode(many(count, device))
    body[6] = (["address", "location", "origin"], [[0, 1, 2]], const(0), [const("x" * 15_000)] * 3)
    body[7] = const(0)
    payload = messages.encode(
        messages.Commits(device, bytes(64), msgspec.msgpack.encode((devices, authors, types, body)))
    )
    with pytest.raises(errors.TooLarge):
        HandMade(people.amal, people.hq).take(payload)


# --- one device's pace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [OwnLevels, SharedLevels])
def test_a_rate_limit_allows_a_burst_of_one_minute(levels: Callable[[], Levels]) -> None:
    """20,000 commits pass at once; further ones wait their share of time; idle time restores the allowance."""
    now = [0.0]
    pace = RateLimit(lambda: now[0], 20_000, 60.0, levels())
    amal, basim = b"a" * 16, b"b" * 16
    assert [pace.waiting_seconds(amal, 2_000) for _ in range(10)] == [0.0] * 10
    assert pace.waiting_seconds(amal, 2_000) == pytest.approx(6.0)
    assert pace.waiting_seconds(amal, 2_000) == pytest.approx(12.0)
    assert pace.waiting_seconds(basim, 2_000) == 0.0
    now[0] = 72.0
    assert pace.waiting_seconds(amal, 2_000) == pytest.approx(0.0)
    now[0] = 10_000.0
    assert [pace.waiting_seconds(amal, 20_000), pace.waiting_seconds(amal, 1)] == [0.0, pytest.approx(0.003)]


def test_idle_devices_leave_the_rate_limit_table() -> None:
    """The rate-limit table does not grow without bound."""
    now = [0.0]
    levels = OwnLevels()
    pace = RateLimit(lambda: now[0], 20_000, 60.0, levels)
    for i in range(25_000):
        now[0] += 0.1
        pace.waiting_seconds(i.to_bytes(16, "big"), 10)
    assert len(levels.known) <= 10_000


FORKS = """
import os, signal
from fieldsync.server.rate_limit import RateLimit
from fieldsync.server.shared_levels import SharedLevels

pace = RateLimit(lambda: 1.0, 20_000, 60.0, SharedLevels())
pids = []
for number in range(4):
    pids.append(os.fork())
    if not pids[-1]:
        for _ in range(200):
            pace.waiting_seconds(b"a" * 16, 100)
        os.kill(os.getpid(), signal.SIGKILL)
for pid in pids:
    os.waitpid(pid, 0)
print(pace.waiting_seconds(b"a" * 16, 0), pace.waiting_seconds(b"b" * 16, 1))
"""


def test_forks_count_together() -> None:
    """Four processes that are killed after 20,000 commits of a device each have counted 80,000, and hold nobody up."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert [*map(float, done.stdout.split())] == [60_000 / 20_000 * 60, 0]


def test_a_full_table_keeps_those_that_sent_most() -> None:
    """Of 50,000 devices at once, the one that floods is not forgotten."""
    pace = RateLimit(lambda: 1.0, 20_000, 60.0, SharedLevels())
    pace.waiting_seconds(b"a" * 16, 20_000)
    for i in range(50_000):
        pace.waiting_seconds(i.to_bytes(16, "big"), 10)
    assert pace.waiting_seconds(b"a" * 16, 20_000) == pytest.approx(60.0)


async def _frames_of(node: Node, hand: HandMade, count: int, each: int) -> AsyncIterator[tuple[int, bytes, bytes]]:
    codec = FrameCodec()
    batch = [hand.commit(after=i, fields={"location": "x"}) for i in range(count * each)]
    bodies = list(map(msgspec.msgpack.encode, batch))
    links = chain.extend_chain(chain.chain_start(node.device), bodies)
    for i in range(count):
        part = batch[i * each : (i + 1) * each]
        seal = chain.sign_chain(node.key, part[-1].seq, links[part[-1].seq - 1][1])
        frame = codec.pack_frame(
            FrameKind.COMMITS, messages.encode(messages.Commits(node.device, seal, row_batches.pack_commits(part)))
        )
        yield frame[0], frame[5:], frame


def test_a_flooding_device_is_slowed_down_without_loss(people: Cast) -> None:
    """Basim's program pushes 600 saves at a limit of 200 per half second: all are accepted at that rate; Amal's pass meanwhile."""
    save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)

    async def scene() -> tuple[float, float]:
        app = ServerApp(people.hq)
        app.pace = RateLimit(time.monotonic, 200, 0.5)
        started = time.monotonic()

        async def push(node: Node, count: int, each: int) -> float:
            with people.hq.store.read() as tx:
                known: Any = tx.device(node.device)
            serving = SyncServer(people.hq, known, messages.Hello(2, b"", node.clock(), 0, b""), FrameCodec())
            await app._take_frames(serving, _frames_of(node, HandMade(node, people.hq), count, each))
            return time.monotonic() - started

        async with asyncio.timeout(60):
            flood = asyncio.create_task(push(people.basim, 6, 100))
            await asyncio.sleep(0)
            return await push(people.amal, 1, 1), await flood

    hers, his = asyncio.run(scene())
    assert his >= 1.0  # 400 beyond the limit, at 400 a second
    assert hers < his
    with people.hq.store.read() as tx:
        assert (tx.log_head(people.basim.device), tx.log_head(people.amal.device)) == (600, 1)

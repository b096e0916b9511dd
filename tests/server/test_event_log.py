"""`server run --log-format json`: each line is an object, and none holds personal data, whatever a request brings."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from tests import lines
from tests.cast import JBL, ROOT, SECRET, copy_cast, move_office, open_node
from tests.offices import Hand

NAME, PLACE, PHONE = "Zaynab Alhusayn", "شارع الثورة", "0933123456"
PLANTED = [
    NAME,
    NAME.split(maxsplit=1)[0],
    PLACE,
    PHONE,
    NAME.split(maxsplit=1)[0].encode().hex(),
    base64.b64encode(NAME.encode()).decode()[:12],
]
PATH = NAME.split(maxsplit=1)[0].encode()


class LoggingServer:
    """A headquarters of its own that writes JSON lines into a file; with two workers where its store serves many."""

    def __init__(self, home: Path, workers: int) -> None:
        self.home, self.port, self.file = home, free_port(), home / "log"
        move_office(home, self.port)
        (home / "key").write_bytes(SECRET)
        self.environment = os.environ | {
            "FIELDSYNC_KEY_FILE": str(home / "key"),
            "FIELDSYNC_LOG": "debug",
            "PYTHONPATH": str(ROOT),
        }
        self.process = self.begin("--workers", str(workers))

    def begin(self, *more: str) -> "subprocess.Popen[bytes]":
        """Begin to serve."""
        run = "server", "run", "--log-format", "json", "--listen", f"127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "fieldsync", "--home", str(self.home / "hq"), *run, *more]
        with self.file.open("ab") as log:
            return subprocess.Popen(command, stderr=log, env=self.environment)

    def events(self) -> list[dict[str, Any]]:
        """Return what is written so far, each line parsed."""
        return [
            json.loads(line)
            for line in self.file.read_text(encoding="utf-8").splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """Return the newest event of a name, once there are so many of them."""
        until = time.monotonic() + 30
        while len(found := [one for one in self.events() if one["event"] == event]) < count:
            assert time.monotonic() < until, self.file.read_text(encoding="utf-8")
            time.sleep(0.02)
        return found[-1]


@pytest.fixture
def logging_server(headquarters_store: str, cast_template: Path, tmp_path: Path) -> Iterator[LoggingServer]:
    """Return a server that writes JSON lines."""
    copy_cast(cast_template, tmp_path)
    server = LoggingServer(tmp_path, 2 if headquarters_store == "postgresql" else 1)
    yield server
    server.process.terminate()
    assert server.process.wait(30) == 0


def hostile_requests(hand: Hand) -> Iterator[bytes]:
    """Give requests with personal data in method, path, query, headers and body; some are no HTTP."""
    name = NAME.encode()
    end, body = b"HTTP/1.1\r\nHost: " + PATH + b"\r\n", PLACE.encode() + PHONE.encode()
    sized = end + b"Content-Length: %d\r\n" % len(body)
    yield b"GET /" + PATH + b"?phone=" + PHONE.encode() + b" " + end + b"\r\n"
    yield b"GET /health?name=" + PATH + b" " + end + b"\r\n"
    yield PATH + b" /v2/sync " + end + b"\r\n"
    yield (
        b"POST /v2/sync?"
        + PATH
        + b" "
        + sized
        + b"User-Agent: "
        + name
        + b"\r\nAuthorization: FS "
        + PATH
        + b".x.y\r\n\r\n"
        + body
    )
    for request in (b"sync", b"heal", b"renew", b"join", PATH):
        yield b"POST /v2/" + request + b" " + sized + b"\r\n" + body
    yield b"POST /v999/" + PATH + b" " + sized + b"\r\n" + body
    yield name + b"\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n" + name + b": " + name + b"\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: x\r\nX: " + name * 10_000 + b"\r\n\r\n"
    joining = messages.encode(messages.JoinRequest(2, name, name, name, "", name, name.decode()))
    yield b"POST /v2/join HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(joining) + joining
    hello, proof = hand.hello(), b"FS " + b".".join([base64.b64encode(name)] * 3)
    yield (
        b"POST /v2/sync HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\nContent-Length: %d\r\n\r\n" % (proof, len(hello))
        + hello
    )
    asked = hand.pack(
        FrameKind.ASK, messages.encode(messages.Ask(NAME, (messages.Range(bytes(16), b"\xff" * 16, 9, 9),)))
    )
    yield _signed(hand, "/v2/heal", asked)
    yield _signed(hand, "/v2/sync", hand.pack(FrameKind.COMMITS, body))


def _signed(hand: Hand, path: str, more: bytes) -> bytes:
    hello = hand.hello()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {hand.proof(path, hello, more)}\r\nContent-Length: {len(hello + more)}\r\n\r\n"
    return head.encode() + hello + more


def test_lines_tell_syncs_and_no_personal_data(logging_server: LoggingServer) -> None:
    """Saves of families, requests of strangers with names in all their parts, a second server on the same port."""
    server = logging_server
    assert server.wait_for("listening")["address"] == f"https://127.0.0.1:{server.port}"
    with closing(open_node(server.home / "amal")) as amal:
        for _ in range(3):
            save.add_record(
                amal, "household", Changes(set={"family_name": NAME, "location": PLACE, "address": PHONE}), unit=JBL
            )
        sync_once.sync_once(amal)
        synced = next(one for one in server.events() if one.get("commits"))
        assert (synced["request"], synced["status"], synced["commits"], synced["quarantined"]) == ("sync", 200, 3, 0)
        assert (synced["device"], synced["level"]) == (amal.device.hex(), "info")
        example = re.search(r'^{"time".*"sync".*}$', (ROOT / "docs/operations.md").read_text("utf-8"), re.MULTILINE)
        assert example is not None
        assert list(json.loads(example[0])) == list(synced)
        assert synced["bytes_in"] > 0 < synced["bytes_out"]
        assert 0 < synced["seconds"] < 30
        hand = Hand(amal, server.port)
        for raw in hostile_requests(hand):
            with suppress(OSError, HTTPException):
                got = lines.say(server.port, raw)
                if got.status != 200:
                    hand.read(got)
    code = server.begin().wait(30)
    assert (code, server.wait_for("fault")["code"], server.wait_for("fault")["reason"]) == (
        6,
        "unreachable",
        "address in use",
    )
    refused = [one for one in server.events() if one.get("code") and one["event"] == "request"]
    assert {one["code"] for one in refused} >= {"unknown_device", "bad_frame", "unit_refused"}
    assert {one["request"] for one in server.events() if one["event"] == "request"} >= {
        "sync",
        "heal",
        "join",
        "other",
        "health",
    }
    said = server.file.read_text(encoding="utf-8")
    assert [word for word in PLANTED if word in said] == []
    assert all({"time", "level", "event", "pid"} <= one.keys() for one in server.events())


@pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)
def test_lines_tell_of_workers(logging_server: LoggingServer) -> None:
    """A worker that was killed and started again is an event; so is the end of each."""
    server = logging_server
    server.wait_for("listening")
    children = (
        Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="ascii").split()
    )
    os.kill(int(children[1]), signal.SIGKILL)
    assert server.wait_for("worker_ended")["worker"] == 1
    assert lines.get(server.port, "/health").status == 200
    server.process.terminate()
    assert server.process.wait(30) == 0
    server.wait_for("stopped")
    server.events()


FAULTS = f"""
import asyncio, gc, logging, threading, warnings
from fieldsync.server import event_log

def fail(*_):
    raise ValueError("{NAME}") from KeyError("{PHONE}")

class Dying:
    def __del__(self):
        fail()

event_log.write_json_lines("debug")
logging.getLogger("psycopg").warning("bad value {PLACE} of %s", "{NAME}")
logging.getLogger("uvicorn.error").error("in {NAME}", exc_info=ValueError("{NAME}"))
warnings.warn("{NAME}")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Dying()
async def forget():
    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
asyncio.run(forget())
event_log.tell_event(event_log.INFO, "listening", "listening on x")
fail()
"""


@pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)
def test_faults_are_told_by_type_and_place() -> None:
    """What libraries log, threads raise, and nobody catches holds a name: its line has type and place, and not the name."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [word for word in PLANTED if word in done.stderr] == []
    faults = [one for one in events if one["event"] == "fault"]
    assert [one["types"] for one in faults] == [
        ["ValueError", "KeyError"]
    ] * 3  # the thread's, the dying one's, the last
    assert faults[-1]["places"][-1] == "__main__:6 fail"
    told = [
        (one["library"], one.get("types")) for one in events if one["event"] == "library" and one["level"] != "debug"
    ]
    assert told == [
        ("psycopg", None),
        ("uvicorn.error", ["ValueError"]),
        ("py.warnings", None),
        ("asyncio", ["ValueError", "KeyError"]),
    ]
    assert done.returncode == 1

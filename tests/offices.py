"""An office at work: its headquarters a real process that serves, the cast's laptops, and requests made by hand."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fieldsync.core import stamp
from fieldsync.core.commit import FORMAT, Commit, decode_stored, encode
from fieldsync.core.grants import grants_hash
from fieldsync.core.register import Value
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.demo.story_runner import free_port
from fieldsync.environment import SYSTEM
from fieldsync.exchange.tables import import_records
from fieldsync.protocol import sync_once
from fieldsync.replica.node import Node
from fieldsync.store.contract import LoggedCommit
from fieldsync.topology.sync_results import Synced
from fieldsync.wire import messages, routes
from fieldsync.wire import row_batches as wire_rows
from fieldsync.wire.frames import FrameCodec, FrameKind, FrameReader
from fieldsync.wire.messages import NONCE_HEADER, from_base64, to_base64
from fieldsync.wire.protocols import PROTOCOL
from tests import directly, json_shapes, lines, warm
from tests.cast import ROOT, SECRET, ServerProcess, copy_cast, move_office, open_node, rows


class Office:
    """A folder with the cast, of which the headquarters serves on `port`."""

    def __init__(self, template: Path, home: Path) -> None:
        copy_cast(template, home)
        self.home = home
        self.port = free_port()
        move_office(home, self.port)
        (home / "key").write_bytes(SECRET)
        self.server = ServerProcess(home / "hq", self.port)
        self.server.start()
        self._opened: dict[str, Node] = {}
        self._looked = ("", 0)

    def __getitem__(self, name: str) -> Node:
        """Return somebody's open node."""
        if name not in self._opened:
            self._opened[name] = open_node(self.home / name)
            self._opened[name].clock = partial(self._clock, name)
        return self._opened[name]

    def _clock(self, name: str) -> int:
        """Tell somebody the time; what two people do one after the other is never in one millisecond, however quick the machine."""
        while (now := SYSTEM.wall_clock()) == self._looked[1] and name != self._looked[0]:
            time.sleep(0.0001)
        self._looked = (name, now)
        return now

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self.server._process is not None
        return self.server._process.pid

    def shut(self, name: str) -> None:
        """Close somebody's store, so that a process may have it for itself."""
        if name in self._opened:
            self._opened.pop(name).close()

    def meets(self, name: str, port: int) -> None:
        """Tell a laptop that its server is at another port."""
        with self[name].store.write() as tx:
            tx.sql("UPDATE server SET address = ?", (f"https://127.0.0.1:{port}",))

    def register(self, name: str, count: int) -> None:
        """Register many families at once on somebody's laptop."""
        file = self.home / f"{name}.csv"
        lines_ = [f"محمد أحمد,{name} {i}" for i in range(count)]
        file.write_text("\n".join(["family_name,location", *lines_]) + "\n", encoding="utf-8")
        import_records.import_file(self[name], file, "household")

    def sync(self, *names: str) -> list[Synced]:
        """Sync these laptops in turn."""
        return [sync_once.sync_once(self[name]) for name in names]

    def equal(self, *names: str) -> None:
        """Assert that these laptops hold what the headquarters holds of their units: the same registers, byte for byte."""
        hq = self["hq"]
        theirs = rows(hq)
        for name in names:
            assert directly.differing(self[name], hq) == []
            with self[name].store.read() as tx:
                kept = tx.departed_channel  # what the laptop wrote, and no server has applied
            for record, row in rows(self[name]).items():
                if kept and row.channel == kept:
                    continue
                assert canonical_bytes(row.state) == canonical_bytes(theirs[record].state)
                assert (row.doc, row.conflicts.keys()) == (theirs[record].doc, theirs[record].conflicts.keys())

    def snapshot(self) -> list[Any]:
        """Return all that the headquarters holds of records and commits."""
        with self["hq"].store.read() as tx:
            held = [tuple(row) for row in tx.sql("SELECT * FROM record ORDER BY n")]
            return [*held, *(tuple(row) for row in tx.sql("SELECT * FROM commit_log")), *tx.channels()]

    def command(self, name: str, *words: str) -> list[str]:
        """Return the words that run a command on somebody's computer."""
        return [sys.executable, "-m", "fieldsync", "--home", str(self.home / name), *words]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of such a command."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FIELDSYNC_KEY_FILE": str(self.home / "key"),
            "FIELDSYNC_LANG": "en",
        }

    def begin(self, name: str, *words: str, **environment: str) -> warm.Process:
        """Begin to run a command."""
        words = ("--home", str(self.home / name), *words)
        return warm.Process("command", *words, environment=self.environment | environment, folder=self.home)

    def run(self, name: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return self.begin(name, *words, **environment).end(60)

    def json(self, name: str, *words: str) -> Any:
        """Run a command that must succeed, and return what it told."""
        done = self.run(name, *words, "--json")
        assert done.returncode == 0, done
        json_shapes.check(words, done.stdout)
        return json.loads(done.stdout)

    def close(self) -> None:
        """Stop the server and close all stores."""
        if self.server.running:
            self.server.stop()
        for name in list(self._opened):
            self.shut(name)


@contextmanager
def office_in(template: Path, home: Path) -> Iterator[Office]:
    """Have an office for a while."""
    with ExitStack() as stack:
        office = Office(template, home)
        stack.callback(office.close)
        yield office


def write(node: Node, record: bytes, *written: Mapping[str, Value], type: str = "household", form: int = 1) -> None:
    """Log and chain commits that no command would make, one for each of the fields written; their own laptop ignores them."""
    with node.store.write() as tx:
        me = tx.device(node.device)
        assert me is not None
        assert me.chain is not None
        now = node.clock() << stamp.COUNTER_BITS
        made = [
            Commit(
                FORMAT,
                node.device,
                seq,
                now + seq,
                node.person,
                type,
                form,
                record,
                None,
                dict(sorted(fields.items())),
                (),
            )
            for seq, fields in enumerate(written, me.head + 1)
        ]
        bodies = list(map(encode, made))
        links = chain.extend_chain(me.chain, bodies)
        logged = [
            LoggedCommit(c.device, c.seq, c.stamp, c.author, record, None, body, *link)
            for c, body, link in zip(made, bodies, links, strict=True)
        ]
        tx.append_commits(node.device, logged)


# --- requests made by hand --------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """A server's answer: the frames of a good one, the error of another."""

    status: int
    frames: list[tuple[FrameKind, bytes]]
    error: dict[str, Any]

    @property
    def code(self) -> str:
        """The error's code."""
        return str(self.error.get("code"))

    def message(self, kind: FrameKind, type: Any) -> Any:
        """Return the first message of a kind."""
        return messages.decode_message(type, next(payload for found, payload in self.frames if found is kind))


class Hand:
    """A laptop's requests made by hand: signed as it signs them, with any bytes in them."""

    def __init__(self, node: Node, port: int) -> None:
        self.node = node
        self.port = port
        self.codec = FrameCodec(node.schema.compression_dictionary())

    @property
    def server(self) -> bytes:
        """The id of the laptop's server."""
        with self.node.store.read() as tx:
            return tx.servers()[0].id

    @property
    def nonce(self) -> bytes:
        """The nonce that the laptop was handed last; kept where the laptop keeps it."""
        with self.node.store.read() as tx:
            return tx.servers()[0].nonce or b""

    def _keep(self, nonce: bytes) -> None:
        with self.node.store.write(durable=False) as tx:
            tx.set_server(tx.servers()[0].id, nonce=nonce)

    def hello(self, **changes: Any) -> bytes:
        """Return the first frame of a request, with some of it changed."""
        given = {
            "protocol": PROTOCOL, "dictionary": self.codec.id, "now": self.node.clock(), "head": 0,
            "grants": grants_hash(self.node.grants), "cursors": (), "where": False, "devices": 0,
        }  # fmt: skip
        return FrameCodec().pack_frame(FrameKind.HELLO, messages.encode(list((given | changes).values())))

    def pack(self, kind: FrameKind, payload: bytes) -> bytes:
        """Return a frame."""
        return self.codec.pack_frame(kind, payload)

    def proof(
        self, path: str, hello: bytes, more: bytes = b"", *, key: DeviceKey | None = None, nonce: bytes | None = None
    ) -> str:
        """Return the header that proves who asks, as the protocol that the path names has it signed."""
        key, nonce = key or self.node.key, self.nonce if nonce is None else nonce
        protocol, name = routes.parse_path(path)
        asked = chain.SignedRequest("POST", path, "", nonce, hello, None if name == routes.SYNC else more)
        signature = key.sign(chain.signed_request(protocol, self.server, asked))
        return f"FS {to_base64(key.device)}.{to_base64(nonce)}.{to_base64(signature)}"

    def post(
        self, path: str, hello: bytes, more: bytes = b"", *, proof: str | None = None, length: int | None = None
    ) -> Answer:
        """Send a request; `length` is what it says of its body's length, when that is a lie."""
        proof = self.proof(path, hello, more) if proof is None else proof
        size = len(hello) + len(more) if length is None else length
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\nContent-Length: {size}\r\n\r\n"
        return self.read(lines.say(self.port, head.encode() + hello + more))

    def read(self, got: lines.Reply) -> Answer:
        """Read an answer, and keep the nonce that it brings."""
        fresh = got.headers.get(NONCE_HEADER)
        if fresh is not None:
            self._keep(from_base64(fresh))
        if got.status != 200:
            return Answer(got.status, [], json.loads(got.body)["error"] if got.body.startswith(b"{") else {})
        found = [self.codec.unpack_payload(tag, payload) for tag, payload, _ in FrameReader().feed(got.body)]
        return Answer(got.status, found, {})

    def commits(self, after: int = 0, *, upto: int | None = None) -> bytes:
        """Return one COMMITS frame of the laptop's own commits, as it would send them."""
        with self.node.store.read() as tx:
            logged = [one for one in tx.commits_behind(self.node.device, after) if upto is None or one.seq <= upto]
        seal = chain.sign_chain(self.node.key, logged[-1].seq, logged[-1].chain)
        batch = [decode_stored(one.body or b"") for one in logged]
        return self.pack(
            FrameKind.COMMITS, messages.encode(messages.Commits(self.node.device, seal, wire_rows.pack_commits(batch)))
        )


@pytest.fixture
def fresh_office(cast_template: Path, tmp_path: Path) -> Iterator[Office]:
    """Return an office whose headquarters serves, of this test alone."""
    with office_in(cast_template, tmp_path) as found:
        yield found

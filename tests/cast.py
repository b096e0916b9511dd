"""The cast: a headquarters, the laptops of Amal and Basim who are case workers and of Samar who supervises, and a clock.

Stores are real and encrypted, opened by a key file so that no test pays for Argon2. Servers are real processes.
"""

import contextlib
import hashlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import office
from fieldsync.crypto import age, chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.environment import SYSTEM, Environment
from fieldsync.protocol import invites, join_server
from fieldsync.protocol.invites import Invite
from fieldsync.replica import node as nodes
from fieldsync.replica import node_setup
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.server import administration, enrolment
from fieldsync.store import database_address, name_database
from fieldsync.store.contract import Row
from fieldsync.wire import messages
from fieldsync.wire.protocols import PROTOCOL
from tests import postgresql, warm

office.register()  # here, and not in conftest.py: random histories, benchmarks and docs use the cast, too


def no_database() -> None:
    """Return no address of a database: the store is to be in a file."""


NEW_DATABASE: ContextVar[Callable[[], str | None]] = ContextVar("new_database", default=no_database)
"""Gives the database of a new headquarters; None: its store is a file."""
SECRET = b"a key file's bytes, 32 of them.."
JBL, QRD = "LAT/JBL", "LAT/QRD"
PEOPLE = {
    "amal": ("Amal", "caseworker", (JBL,)),
    "basim": ("Basim", "caseworker", (JBL, QRD)),
    "samar": ("Samar", "supervisor", ("LAT",)),
}
ROOT = Path(__file__).parent.parent


def fill(slots: Slots, key: bytes) -> None:
    """Let the key file open a new store."""
    slots.add_keyfile(key, SECRET)


def unlock(slots: Slots) -> bytes:
    """Open a store with the key file."""
    return slots.open_keyfile(SECRET)


class Clock:
    """A clock that the test sets, in milliseconds since 1970."""

    def __init__(self, now: int = 1_793_607_300_000) -> None:
        self.now = now

    def __call__(self) -> int:
        """Return the time."""
        return self.now

    def tick(self, milliseconds: int = 1) -> None:
        """Let time pass; less than nothing, too."""
        self.now += milliseconds


def open_node(
    home: Path, clock: Clock | None = None, *, shared: bool = False, environment: Environment = SYSTEM
) -> Node:
    """Open a node's store, on a clock of the test's."""
    node = nodes.open_node(home, unlock, shared=shared, environment=environment)
    if clock is not None:
        node.clock = clock
    return node


def found_office(home: Path, port: int = 9) -> None:
    """Set up a headquarters in a folder."""
    administration.init_server(home, fill, administration.ServerPlan(org="Office", unit="LAT", address=f"https://127.0.0.1:{port}", database=NEW_DATABASE.get()()), load.shipped_texts())  # fmt: skip


def join_request(
    invite: Invite, key: DeviceKey, recipient: str = "", letters: str = "", *, by: DeviceKey | None = None
) -> messages.JoinRequest:
    """Return what a device sends to join, signed by its key, or by another one."""
    signed = chain.SignedJoin(invite.pin, invite.id, invite.secret, key.public, recipient, letters)
    signature = (by or key).sign(chain.signed_join(PROTOCOL, signed))
    return messages.JoinRequest(PROTOCOL, *signed[1:4], signature, recipient, letters)


def waiting(node: Node, sleep: Callable[[float], None], chance: float | None = None) -> Node:
    """Have a node wait by a function of the test's, and draw always the same number."""
    told = msgspec.structs.replace(node.environment, sleep=sleep)
    node.environment = told if chance is None else msgspec.structs.replace(told, random=lambda: chance)
    return node


def join_directly(hq: Node, home: Path, name: str, role: str, units: Sequence[str], *, device: str = "") -> None:
    """Enrol a laptop (or a further `device` of that person) as `join` does, without a socket between."""
    invite = invites.parse_invite(administration.make_invite(hq, name, role, list(units)).invite)
    key = DeviceKey.from_bytes(
        hashlib.sha256((name + device).encode()).digest()
    )  # the same in every run: ties fall alike
    identity = age.new_identity(hq.environment)
    told = enrolment.enrol_device(hq, join_request(invite, key, age.public_recipient(identity)))

    def write(tx: Any) -> None:
        tx.settings.age_identity = identity
        reply = join_server.JoinReply(told, PROTOCOL)
        join_server.store_enrolment(tx, key, invite, reply, hq.environment.wall_clock())

    node_setup.create_store(home, fill, write, hq.environment)


def found_cast(home: Path) -> None:
    """Set up the headquarters and all laptops, each in a folder of its own."""
    found_office(home / "hq")
    hq = open_node(home / "hq")
    for name, (person, role, units) in PEOPLE.items():
        join_directly(hq, home / name, person, role, units)
    hq.close()


def copy_cast(template: Path, home: Path) -> None:
    """Copy a cast that stands still."""
    for folder in template.iterdir():
        copy_node(folder, home / folder.name)


def copy_node(folder: Path, target: Path) -> None:
    """Copy a node that nobody has open, with its database if it has one."""
    shutil.copytree(folder, target)
    key = unlock(Slots.from_bytes((target / nodes.SLOTS).read_bytes()))
    if (database := database_address(target, key)) is not None:
        name_database(target, key, postgresql.copy_database(database))


def move_office(home: Path, port: int) -> None:
    """Have the headquarters listen on another port, and all laptops know it."""
    address = f"https://127.0.0.1:{port}"
    for folder in home.iterdir():
        node = open_node(folder)
        with node.store.write() as tx:
            if node.is_laptop:
                tx.sql("UPDATE server SET address = ?", (address,))
            else:
                tx.settings.address = address
        node.close()


def rows(node: Node) -> dict[bytes, Row]:
    """Return all records of a node."""
    with node.store.read() as tx:
        return {row.state.record: row for row in tx.select_rows()}


# --- real processes ---------------------------------------------------------------------------------------------------


def spent(pid: int) -> float:
    """Return the processor time that a process has taken so far, in seconds; also of one that nobody has waited for yet."""
    return time.clock_gettime((~pid << 3) | 2)  # the clock that clock_getcpuclockid(3) would name


class ServerProcess:
    """A headquarters that serves on 127.0.0.1; killed and started again as a test likes."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.said: list[str] = []
        self._process: warm.Process | None = None

    def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = warm.Process("serve", str(self.home), str(self.port))
        line = self._process.stderr.readline()
        assert line.startswith("listening on"), line + self._process.stderr.read()
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: warm.Process) -> None:
        with contextlib.suppress(ValueError):  # closed while it read
            self.said.extend(process.stderr)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop with a signal and return the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(30)
        self._process.stdout.close()
        self._process = None
        return status

    def kill(self) -> None:
        """Stop as a power cut does, as far as a process can."""
        self.stop(signal.SIGKILL)

    def seconds(self) -> float:
        """Return the processor time that it has taken so far."""
        assert self._process is not None
        return spent(self._process.pid)

    @property
    def running(self) -> bool:
        """Whether it has been started and not stopped."""
        return self._process is not None


@contextlib.contextmanager
def serving(home: Path, port: int) -> Iterator[ServerProcess]:
    """Serve for as long as a test needs it."""
    server = ServerProcess(home, port)
    server.start()
    try:
        yield server
    finally:
        if server.running:
            server.stop()

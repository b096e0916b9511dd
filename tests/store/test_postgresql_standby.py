"""A standby takes over: with a synchronous one nothing that was acknowledged is lost, with an asynchronous one it can be."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest

from fieldsync import errors
from fieldsync.store import Store
from fieldsync.store.postgresql.store import PostgresStore
from tests import postgresql
from tests.store.contract.support import check_digests, enrol, put

KEY = b"k" * 32
SECONDS = 30.0
STALLED = 1.0  # seconds of writing while nothing reaches the standby


class Pair(NamedTuple):
    """A primary and its standby, each in a folder, and the address of a database on whichever takes writes."""

    primary: Path
    standby: Path
    address: str


@contextmanager
def pair(*, synchronous: bool) -> Iterator[Pair]:
    """Start both; a commit waits for the standby's disk, or for nobody."""
    with tempfile.TemporaryDirectory(prefix="standby-") as folder:
        first, second = Path(folder, "primary"), Path(folder, "standby")
        for one in (first, second):
            one.mkdir()
        names = "synchronous_standby_names='*'" if synchronous else "synchronous_commit=on"
        address = postgresql.start_server(first, "wal_level=replica")
        with psycopg.connect(f"{address}/postgres", autocommit=True) as raw:
            raw.execute("CREATE DATABASE office")
        standby = postgresql.start_standby(second, address)
        with psycopg.connect(f"{address}/postgres", autocommit=True) as raw:
            raw.execute(f"ALTER SYSTEM SET {names}")  # type: ignore[arg-type]
            raw.execute("SELECT pg_reload_conf()")
        hosts = ",".join(urlsplit(one).netloc.rpartition("@")[2] for one in (address, standby))
        yield Pair(first, second, f"postgresql://postgres@{hosts}/office?target_session_attrs=read-write")
        with suppress(AssertionError):
            postgresql.stop_server(second, "immediate")


class Writers:
    """Threads that save numbers, and note what was acknowledged."""

    def __init__(self, store: Store) -> None:
        self.acknowledged: list[str] = []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(store, number)) for number in range(2)]
        for thread in self._threads:
            thread.start()

    def _write(self, store: Store, number: int) -> None:
        count = 0
        while not self._ending.is_set():
            name = f"writer {number} {count}"
            try:
                with store.write() as tx:
                    tx.settings.serial_numbers[name] = 1
            except (errors.StoreUnavailable, psycopg.Error):
                self._ending.wait(0.05)
                continue
            self.acknowledged.append(name)
            count += 1

    def end(self) -> None:
        """Have them stop, and wait until they have."""
        self._ending.set()
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()


@pytest.mark.parametrize("synchronous", [True, False])
def test_a_standby_takes_over(tmp_path: Path, *, synchronous: bool) -> None:
    """The primary dies under load while its line to the standby stalls; the same store goes on with the standby."""
    with pair(synchronous=synchronous) as servers:
        store = PostgresStore(servers.address, KEY, tmp_path, create=True)
        with store.write() as tx:
            tx.settings.epoch = b"the first"
            enrol(tx, 0)
            put(tx, 1)
        writers = Writers(store)
        while len(writers.acknowledged) < 50:
            pass
        receiver = postgresql.process_of(servers.standby, "walreceiver")
        os.kill(receiver, signal.SIGSTOP)
        threading.Event().wait(STALLED)
        postgresql.kill_server(servers.primary)
        os.kill(receiver, signal.SIGKILL)  # what was still on the line goes, too
        postgresql.promote(servers.standby)
        before = len(writers.acknowledged)
        while len(writers.acknowledged) < before + 20:  # they go on
            threading.Event().wait(0.05)
        writers.end()
        with store.read() as tx:
            lost = [name for name in writers.acknowledged if not tx.settings.serial_numbers[name]]
            assert tx.settings.epoch == b"the first"
        assert bool(lost) is not synchronous
        check_digests(store)
        store.close()

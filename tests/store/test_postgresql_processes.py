"""Several processes on one database: what one commits late, or at the same time, is lost for nobody.

Each race is forced. Without the lock that a writing transaction takes, each loses an entry, or fails.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from fieldsync import errors
from fieldsync.core.state import digest_term
from fieldsync.store import Tx
from fieldsync.store.postgresql.store import PostgresStore
from tests import postgresql
from tests.histories import DEVICES
from tests.store.contract.support import UNITS, check_digests, enrol, put, record

KEY = b"k" * 32
SECONDS = 30.0
SOON = 0.3  # seconds in which a transaction that waits for nobody ends


class UnlockedStore(PostgresStore):
    """A store whose writers do not wait for each other."""

    def _lock_writers(self, raw: psycopg.Connection[Any]) -> None:
        pass


class Order(NamedTuple):
    """Something that a transaction gives numbers to, and readers page by."""

    add: Callable[[Tx, int], object]  # what is about one of the devices, or one of the records
    read: Callable[[Any, int], list[tuple[int, bytes]]]
    about: Callable[[int], bytes] = DEVICES.__getitem__


def _entries(tx: Any, after: int) -> list[tuple[int, bytes]]:
    (channel,) = tx.channels_in([UNITS[0]])
    return [
        (one.arrival, one.row.state.record) for one in tx.page_forward(channel.n, after, 100) if one.row is not None
    ]


ORDERS = {
    "records of a channel": Order(put, _entries, record),
    "devices": Order(
        lambda tx, which: tx.set_letters(DEVICES[which], "XYZ"[which]),
        lambda tx, after: [(one.arrival, one.device) for one in tx.named_devices(after)],
    ),
    "verdicts": Order(
        lambda tx, which: tx.quarantine_commit(DEVICES[which], 1, errors.Unreadable()),
        lambda tx, after: [(one.arrival, one.device) for one in tx.verdicts_since(after)],
    ),
    "clock notes": Order(
        lambda tx, which: tx.note_clock(DEVICES[which], 1, 5),
        lambda tx, after: [(one.number, one.device) for one in tx.clock_notes(after)],
    ),
    "receipts": Order(
        lambda tx, which: tx.set_acknowledged(b"server", DEVICES[which], 1, 5),
        lambda tx, after: [(one.arrival, one.device) for one in tx.receipts_since(after)],
    ),
    "records elsewhere": Order(
        lambda tx, which: tx.note_elsewhere([record(which)]),
        lambda tx, after: tx.sql("SELECT n, record FROM elsewhere WHERE n > ?", (after,)).fetchall(),
        record,
    ),
}


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[threading.Event]:
    """Do something in a thread meanwhile; the event is set when it is done. What it raised is raised at the end."""
    done, faults = threading.Event(), list[Exception]()

    def run() -> None:
        try:
            work()
        except Exception as fault:  # noqa: BLE001 - raised below
            faults.append(fault)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    yield done
    thread.join(SECONDS)
    assert not thread.is_alive()
    for fault in faults:
        raise fault


@contextmanager
def two_processes(home: Path, kind: type[PostgresStore]) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Open one database as two processes do; three devices are enrolled, and a record is there."""
    address = postgresql.new_database()
    first = kind(address, KEY, home, create=True)
    second = kind(address, KEY, home)
    with first.write() as tx:
        for which in range(3):
            enrol(tx, which)
        put(tx, 0)
    yield first, second
    first.close()
    second.close()


def read_beside_late_commit(home: Path, kind: type[PostgresStore], order: Order) -> None:
    """One process takes a place and commits late, another one takes the next meanwhile; a reader misses neither."""
    with two_processes(home, kind) as (first, second):
        if order.about is record and order.add is not put:
            with first.write() as tx:
                put(tx, 1)
                put(tx, 2)
        seen, cursor = set[bytes](), 0

        def look() -> None:
            nonlocal cursor
            with second.read() as tx:
                for place, what in order.read(tx, cursor):
                    cursor = max(cursor, place)
                    seen.add(bytes(what))

        def add_second() -> None:
            with second.write() as tx:
                order.add(tx, 2)

        look()
        seen.clear()
        with first.write() as tx:
            order.add(tx, 1)
            late = ExitStack()
            done = late.enter_context(beside(add_second))
            done.wait(SOON)
            look()
        late.close()
        look()
        assert {order.about(1), order.about(2)} <= seen
        check_digests(first)


@pytest.mark.parametrize("name", ORDERS)
def test_a_late_commit_is_missed_by_no_reader(tmp_path: Path, name: str) -> None:
    """All that devices and branches page by: numbers are committed in the order in which they are given out."""
    read_beside_late_commit(tmp_path, PostgresStore, ORDERS[name])


@pytest.mark.parametrize(
    "name", [name for name in ORDERS if name != "records elsewhere"]
)  # a unique key makes its writers wait
def test_without_the_lock_a_late_commit_is_missed(tmp_path: Path, name: str) -> None:
    """The same race, lost: the entry is not seen, or the transaction fails as another has taken its number."""
    # Citus tells a key that is taken in a copy by an error of its own
    with pytest.raises((AssertionError, psycopg.errors.UniqueViolation, psycopg.errors.InternalError_)):
        read_beside_late_commit(tmp_path, UnlockedStore, ORDERS[name])


def test_an_answer_is_of_one_moment(tmp_path: Path) -> None:
    """A reader's digests, pages and documents agree, whatever is written meanwhile."""
    with two_processes(tmp_path, PostgresStore) as (first, second), second.read() as tx:
        (before,) = tx.channels_in([UNITS[0]])
        for seq in range(2, 6):
            with first.write() as other:
                put(other, 0, seq, family_name=f"name {seq}")
                put(other, seq, seq)
        entries = [one.row for one in tx.page_forward(before.n, 0, 100) if one.row is not None]
        assert tx.channels_in([UNITS[0]]) == [before]
        assert sum(digest_term(row.state) for row in entries) & ((1 << 64) - 1) == before.digest


def test_two_processes_number_devices_and_authors_alike(tmp_path: Path) -> None:
    """Each remembers numbers; one that was given out in a transaction that failed is nobody's, there and elsewhere."""
    with two_processes(tmp_path, PostgresStore) as (first, second):
        with pytest.raises(ZeroDivisionError), first.write() as tx:
            tx.device_number(DEVICES[3])
            tx.author_number("Nobody")
            raise ZeroDivisionError
        with second.write() as tx:
            numbers = tx.device_number(DEVICES[3]), tx.author_number("هدى")
        with first.write() as tx:
            assert (tx.device_number(DEVICES[3]), tx.author_number("هدى")) == numbers
            assert (tx.device_id(numbers[0]), tx.author_name(numbers[1])) == (DEVICES[3], "هدى")


def test_a_document_with_zero_bytes_is_found(tmp_path: Path) -> None:
    """Its other fields are searched, its own text comes back; a backslash before it is another text's."""
    from fieldsync.store.contract import RecordQuery

    values = {"family_name": "a\0b", "location": "Jableh", "notes": "\\u0000 \\\0"}
    with two_processes(tmp_path, PostgresStore) as (first, _):
        with first.write() as tx:
            put(tx, 1, 2, **values)
        with first.read() as tx:
            (row,) = tx.select_rows(RecordQuery(type="household", equal={"location": "Jableh"}))
            assert {name: row.doc[name] for name in values} == values
            assert [one.n for one in tx.select_rows(RecordQuery(equal={"notes": "\\u0000 \\\ufffd"}))] == [row.n]

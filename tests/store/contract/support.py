"""What the contract's tests share: a store from a fixture `fresh`, devices with commits, records."""

from collections.abc import Callable, Iterator

import pytest

from fieldsync.core.commit import Commit, encode
from fieldsync.core.grants import Grant
from fieldsync.core.register import Head, Register
from fieldsync.core.state import State, digest_term
from fieldsync.crypto import chain
from fieldsync.replica.apply import apply_states
from fieldsync.replica.merge_rules import Rules
from fieldsync.schema import load
from fieldsync.schema.model import Schema
from fieldsync.store import Store, Tx
from fieldsync.store.contract import LoggedCommit
from tests.histories import DEVICES, RECORD

_64 = (1 << 64) - 1
UNITS = ("LAT/JBL", "LAT/QRD")
CASEWORKER = Grant(UNITS[0], "caseworker")
SCHEMA: list[Schema] = []


def rules() -> Rules:
    """Return the shipped forms' rules."""
    if not SCHEMA:
        SCHEMA.append(load.load_texts(load.shipped_texts()))
    return Rules(SCHEMA[0])


def logged(commits: list[Commit]) -> list[LoggedCommit]:
    """Return commits of one device as they stand in a log."""
    bodies = [encode(c) for c in commits]
    links = chain.extend_chain(chain.chain_start(commits[0].device), bodies)
    return [
        LoggedCommit(c.device, c.seq, c.stamp, c.author, c.record, c.note, b, *link)
        for c, b, link in zip(commits, bodies, links, strict=True)
    ]


def record(which: int) -> bytes:
    """Return the id of one of the records."""
    return RECORD[:-1] + bytes([which])


def enrol(tx: Tx, which: int, *grants: Grant) -> bytes:
    """Enrol one of the devices, with letters of its own: a caseworker's, unless other grants are given."""
    device = DEVICES[which]
    tx.enrol_device(
        device,
        bytes([which]) * 32,
        "ABCD"[which],
        f"person {which}",
        grants or (CASEWORKER,),
        7,
        chain.chain_start(device),
    )
    return device


def log(tx: Tx, which: int, *records: int) -> list[LoggedCommit]:
    """Enrol one of the devices, and log a commit of it about each of these records."""
    device = enrol(tx, which)
    commits = [
        Commit(1, device, seq, seq, f"person {which}", "household", 1, record(one), None, {"family_name": f"{seq}"}, ())
        for seq, one in enumerate(records, 1)
    ]
    found = logged(commits)
    tx.append_commits(device, found)
    return found


def put(tx: Tx, which: int, seq: int = 1, *, type: str = "household", index: bool = False, **fields: object) -> bytes:
    """Apply a state of one of the records, written by the first device; a household is in the first unit."""
    values: dict[str, object] = ({"_unit": UNITS[0]} if type == "household" else {}) | fields
    registers = {
        name: Register((Head(DEVICES[0], seq, seq, "Amal", value),), {DEVICES[0]: seq})  # type: ignore[arg-type]
        for name, value in values.items()
    }
    apply_states(tx, rules(), [State(record(which), type, None, {}, registers)], unit=UNITS[0], index=index)
    return record(which)


def check_digests(store: Store) -> None:
    """Every channel's digest, count and arrivals are those of the records in it."""
    with store.read() as tx:
        for channel in tx.channels():
            found = [row for row in tx.select_rows() if channel.n in row.channels]
            assert channel.digest == sum(digest_term(row.state) for row in found) & _64
            assert channel.records == len(found)
            assert dict(tx.digest_terms(channel.n)) == {row.state.record: digest_term(row.state) for row in found}
            entries = tx.page_forward(channel.n, 0, 1_000)
            arrivals = [entry.arrival for entry in entries]
            assert arrivals == sorted(set(arrivals))
            assert max(arrivals, default=0) <= channel.arrival
            assert {e.row.state.record for e in entries if e.row is not None and not e.gone} == {
                row.state.record for row in found
            }


class Contract:
    """A part of the contract. Give it a fixture `fresh` that returns a function which makes a new, empty store."""

    @pytest.fixture
    def store(self, fresh: Callable[[], Store]) -> Iterator[Store]:
        """Return a new, empty store."""
        made = fresh()
        yield made
        made.close()

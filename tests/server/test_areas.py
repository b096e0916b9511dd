"""Headquarters' hot statements name one area: on a distributed database each is answered by one server.

docs/scale.md lists those that are answered by all.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from fieldsync.core import record_ids
from fieldsync.protocol.range_repair import ChannelTerms
from fieldsync.replica import queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.store.postgresql.connection import PostgresConnection
from fieldsync.store.postgresql.distribution import is_distributed
from fieldsync.store.postgresql.store import PostgresStore
from tests import postgresql
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync

pytestmark = pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)

KEYS = {"channel": "area", "channel_entry": "area", "record": "area", "commit_log": "device"}
"""The column by which each table is distributed."""


class Explained(PostgresConnection):
    """A connection that has each statement explained first; `scattered` are those that do not name one area, or one device."""

    scattered: list[str]

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> psycopg.Cursor[Any]:
        self._explain(statement, parameters)
        return super().execute(statement, parameters)

    def executemany(self, statement: str, parameters: Iterable[Sequence[object]], /) -> None:
        several = list(parameters)
        if several:
            self._explain(statement, several[0])
        super().executemany(statement, several)

    def _explain(self, statement: str, parameters: Sequence[object]) -> None:
        (plan,) = super().execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters).fetchone() or ()
        if not all(map(_is_of_one_area, _nodes(plan))):
            self.scattered.append(statement)


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield all parts of a plan."""
    if isinstance(plan, dict):
        yield plan
    for part in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from _nodes(part)


def _is_of_one_area(node: dict[str, Any]) -> bool:
    if "Task Count" in node:  # of Citus
        return bool(node["Task Count"] == 1)
    key = KEYS.get(node.get("Relation Name", ""))
    if key is None or "Scan" not in node["Node Type"]:
        return True
    conditions = [text for name, text in node.items() if name.endswith(("Cond", "Filter"))]
    conditions += [part.get("Index Cond", "") for part in node.get("Plans", ())]
    return any(f"({key} = " in text for text in conditions)


@pytest.fixture
def scattered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that PostgreSQL stores run from now on, and that do not name one area."""
    found: list[str] = []

    def explained(_: PostgresStore, raw: psycopg.Connection[Any]) -> Explained:
        made = Explained(raw, 1)
        made.scattered = found
        return made

    monkeypatch.setattr(PostgresStore, "_statements", explained)
    return found


def test_laptops_statements_name_an_area(people: Cast, scattered: list[str]) -> None:
    """Pushes of new and changed records and of transfers, pulls, syncs without news, digests, and what is shown of a record."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "Haddad"}), unit=JBL)
    person = Changes(set={"household": record_ids.id_text(home), "given": "Amal", "sex": "female"})
    save.add_record(people.amal, "person", person)
    for laptop in (people.amal, people.basim):
        sync(laptop, people.hq)
    save.edit_record(people.basim, home.hex(), Changes(set={"family_name": "Aziz"}))
    for laptop in (people.basim, people.amal, people.amal):
        sync(laptop, people.hq)
    transfer.transfer_record(people.basim, home.hex(), QRD)
    for laptop in (people.basim, people.amal, people.basim):
        sync(laptop, people.hq)
    with people.hq.store.read() as tx:
        assert [one.records for one in tx.channels_in([QRD])] == [2]
        assert len(ChannelTerms(tx, QRD).ids) == 2
    assert queries.show(people.hq, home.hex()).unit == QRD
    assert sorted(set(scattered)) == []


def test_tables_are_spread_where_there_are_workers(people: Cast) -> None:
    """Setting up a server spreads them over a Citus's workers; on any other PostgreSQL they stay together."""
    with people.hq.store.read() as tx:
        assert is_distributed(tx.raw) == (len(postgresql.servers()) > 1)  # type: ignore[attr-defined]

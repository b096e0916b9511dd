"""The contract on PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from fieldsync import errors
from fieldsync.core.commit import Commit
from fieldsync.store import Store
from fieldsync.store.postgresql.store import PostgresStore
from tests import postgresql
from tests.store.contract.every_role import StoreContract
from tests.store.contract.support import enrol, logged, record

KEY = b"k" * 32


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Return a function that makes new stores."""
    return lambda: PostgresStore(postgresql.new_database(), KEY, tmp_path_factory.mktemp("home"), create=True)


class TestPostgresql(StoreContract):
    """PostgreSQL keeps the contract."""


def test_the_commit_log_is_sealed(tmp_path: Path) -> None:
    """Whoever reads the database finds neither a commit's values nor its note; a row that was moved or changed does not open."""
    address = postgresql.new_database()
    store = PostgresStore(address, KEY, tmp_path, create=True)
    with store.write() as tx:
        device = enrol(tx, 0)
        written = [
            Commit(
                1,
                device,
                seq,
                seq,
                "person 0",
                "household",
                1,
                record(1),
                f"about Zaynab {seq}",
                {"family_name": "Zaynab"},
                (),
            )
            for seq in (1, 2)
        ]
        tx.append_commits(device, logged(written))
    with psycopg.connect(address) as raw:
        stored = b"".join(bytes(value) for row in raw.execute("SELECT note, body FROM commit_log") for value in row)
        assert b"Zaynab" not in stored
        assert b"family_name" not in stored
    with store.read() as tx:
        assert [(one.note, one.commit()) for one in tx.commits_behind(device, 0)] == [(c.note, c) for c in written]
    for column in ("note", "body"):
        with psycopg.connect(address) as raw:
            raw.execute(
                f"UPDATE commit_log SET {column} = (SELECT {column} FROM commit_log WHERE seq = 1) WHERE seq = 2"  # type: ignore[arg-type]
            )
        with store.read() as tx, pytest.raises(errors.StoreDamaged):
            list(tx.commits_behind(device, 1))
    store.close()

"""The contract on PostgreSQL."""

from collections.abc import Callable

import pytest

from fieldsync.store import Store
from fieldsync.store.postgresql.store import PostgresStore
from tests import postgresql
from tests.store.contract.every_role import StoreContract

KEY = b"k" * 32


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    """Return a function that makes new stores."""
    return lambda: PostgresStore(postgresql.new_database(), KEY, tmp_path_factory.mktemp("home"), create=True)


class TestPostgresql(StoreContract):
    """PostgreSQL keeps the contract."""

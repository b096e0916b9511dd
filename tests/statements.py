"""The statements that a store is asked, counted."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fieldsync.store.sql.interning import SqlNumberReads


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield a list that takes up every statement which stores are asked meanwhile."""
    statements: list[str] = []
    begin = SqlNumberReads.__init__

    def begin_counted(self: SqlNumberReads, *given: object) -> None:
        begin(self, *given)  # type: ignore[arg-type]
        execute = self.sql

        def sql(query: str, *values: object) -> object:
            statements.append(query)
            return execute(query, *values)  # type: ignore[arg-type]

        self.sql = sql  # type: ignore[assignment]

    with monkeypatch.context() as patch:
        patch.setattr(SqlNumberReads, "__init__", begin_counted)
        yield statements

"""Ctrl-C while SQLite calls back into Python: the program is interrupted, and nothing else is reported."""

import signal
import subprocess
import sys
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors
from fieldsync.store.sqlite import report_reader
from tests.conftest import Cast
from tests.reports.desk import Desk


def _interrupt(*_names: object) -> int:
    """Be an authorizer or a progress handler during which somebody presses Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
    return int(sqlcipher.SQLITE_OK)


@pytest.mark.parametrize("statement", ["SELECT count(*) FROM record", "SELECT count(*) FROM meta WHERE key = 'x'"])
def test_an_interrupted_statement_is_no_damage(people: Cast, statement: str) -> None:
    """SQLite takes the exception for a denial, which once was reported as a damaged store."""
    node = people.amal
    node.store._writer.set_authorizer(_interrupt)
    with pytest.raises(KeyboardInterrupt), node.store.write() as tx:
        tx.sql(statement)


def test_a_denied_statement_is_not_an_interrupt(people: Cast) -> None:
    """What the store's own authorizer denies stays an error."""
    with pytest.raises(errors.StoreDamaged), people.amal.store.write() as tx:
        tx.sql("ATTACH DATABASE ':memory:' AS out")


def test_a_denial_before_does_not_hide_an_interrupt(people: Cast) -> None:
    """Each transaction is judged by what was denied within it."""
    with pytest.raises(sqlcipher.DatabaseError):
        people.amal.store._writer.execute("ATTACH DATABASE ':memory:' AS out")
    people.amal.store._writer.set_authorizer(_interrupt)
    with pytest.raises(KeyboardInterrupt), people.amal.store.write() as tx:
        tx.sql("SELECT count(*) FROM record")


@pytest.mark.parametrize("handler", ["set_authorizer", "set_progress_handler"])
def test_an_interrupted_report_is_neither_slow_nor_denied(
    people: Cast, monkeypatch: pytest.MonkeyPatch, handler: str
) -> None:
    """Ctrl-C during a report's query is not explained as a fault of the report."""
    desk = Desk(people.hq)

    class Connection:
        """The reader's connection, of which one handler is interrupted."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def set_authorizer(self, given: Any) -> None:
            self._connection.set_authorizer(_interrupt if handler == "set_authorizer" else given)

        def set_progress_handler(self, given: Any, steps: int) -> None:
            interrupted = handler == "set_progress_handler" and given is not None
            self._connection.set_progress_handler(_interrupt if interrupted else given, 1 if steps else 0)

    connect = report_reader.encryption.connect
    monkeypatch.setattr(report_reader.encryption, "connect", lambda *a, **k: Connection(connect(*a, **k)))
    with pytest.raises(KeyboardInterrupt):
        desk.report("aid")


def test_an_interrupt_while_modules_load_shows_no_traceback() -> None:
    """Ctrl-C in the first moments of a command ends it as it does later."""
    program = (
        "import builtins, sys; from fieldsync import __main__; load = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'typer': raise KeyboardInterrupt\n"
        "    return load(name, *rest)\n"
        "builtins.__import__ = interrupted; sys.argv = ['fieldsync', 'status']; __main__.main()"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")

"""The reports' reader: one view per record type, on a read-only connection with a time limit.

A report's views hold existing records only. Merged records (`_same_as`) are left out, and every
reference to one points to the surviving record, so that counting distinct ids counts people. Ids are 16-byte blobs.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher

from fieldsync import errors
from fieldsync.core.units import ABOVE, BELOW, home_unit, is_within
from fieldsync.store.contract import SECONDS, ReportView
from fieldsync.store.sql.interning import NumberCache
from fieldsync.store.sqlite import encryption
from fieldsync.store.sqlite.encryption import authorize, is_denial, translate_errors
from fieldsync.store.sqlite.report_tables import SqliteReportTableReads

MOST_ROWS = 100_000
_LARGEST = (1 << 63) - 1
_CACHE_KIB = 96 * 1024
_STEPS = 20_000  # of SQLite's machine, between two looks at the clock
_LIVING = {"record": {"id", "code", "type", "channel", "conflicts", "doc"}, "channel": {"n", "unit"}}
_TABLES_OF_JSON = {"json_each", "json_tree"}
_ALLOWED = {sqlcipher.SQLITE_SELECT, sqlcipher.SQLITE_FUNCTION, sqlcipher.SQLITE_READ, 33}  # 33: a recursive WITH
_UNSAFE = re.compile("load_extension|fts3|sqlcipher|writefile|readfile|edit")
# strings and quoted names, or a comment: in SQL that is as good as a space
_PART = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\[[^\]]*\]|`(?:[^`]|``)*`|(--[^\n]*|/\*.*?(?:\*/|\Z))""", re.DOTALL
)
# a WITH's query of that name
_SHADOW = r"""["'`\[]?\b(NAME)\b["'`\]]?\s*(\([^()]*\)\s*)?\bAS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\("""
_FAULT = re.compile(r"no such (?:table|column|function): (?:main\.|temp\.)?(\S+)|near \"([^\"]*)\"")


# whom a value refers to, where some gave way; each of several (a JSON list of ids) once
_ONE = "coalesce((SELECT one FROM temp.identity AS i WHERE i.id = {value}), {value})"
_EACH = (
    "(SELECT json_group_array(DISTINCT iif(unhex(j.value, '-') IS NULL, j.value, lower(hex("
    + _ONE.format(value="unhex(j.value, '-')")
    + ")))) FROM json_each({value}) AS j)"
)


class SqliteReportReader:
    """A reading connection to the store's file, with the views of a scope; closed when the report is made."""

    def __init__(
        self,
        path: Path,
        key: bytes,
        views: Iterable[ReportView],
        unit: str | None,
        elapsed: Callable[[], float],
        *,
        sheets: bool = False,
    ) -> None:
        self._views = {view.name: view for view in views}
        self._connection = encryption.connect(path, key, cache_kib=_CACHE_KIB)
        self._unit = unit
        self._until, self._elapsed = 0.0, elapsed
        with translate_errors():
            self._connection.execute("BEGIN")
            self._sheets = SqliteReportTableReads(self._connection, NumberCache()).report_tables() if sheets else {}
            self._make_scope(unit)
            self._make_identity()
            for view in self._views.values():
                self._make_view(view)

    def close(self) -> None:
        self._connection.close()

    def _make_scope(self, unit: str | None) -> None:
        """Select the channels that count: a unit's and those below it; for records shared downwards those above too."""
        sql = self._connection.execute
        sql("CREATE TEMP TABLE scope (n INTEGER PRIMARY KEY, own INTEGER)")
        for n, channel in sql("SELECT n, unit FROM channel").fetchall():
            name = home_unit(channel)
            own = unit is None or is_within(name, unit)
            if own or (unit is not None and unit.startswith(f"{name}/")):
                sql("INSERT INTO scope VALUES (?, ?)", (n, own))

    def _make_identity(self) -> None:
        """Return the surviving record of each merged one; the oldest of those here, if the survivor is not."""
        sql = self._connection.execute
        sql("CREATE TEMP TABLE identity (id BLOB PRIMARY KEY, one BLOB NOT NULL) WITHOUT ROWID")
        sql(
            "INSERT OR IGNORE INTO identity SELECT unhex(s.record, '-'), coalesce("
            "(SELECT id FROM record WHERE id = unhex(s.root, '-')), "
            "(SELECT min(r.id) FROM same AS o JOIN record AS r ON r.id = unhex(o.record, '-') WHERE o.root = s.root)) AS one "
            "FROM same AS s WHERE one IS NOT NULL"
        )
        sql("DELETE FROM identity WHERE id = one")
        # CROSS: from the few merged records; SQLite would rather read all records in the order of their types
        merged = "SELECT DISTINCT r.type FROM identity AS i CROSS JOIN record AS r ON r.id = i.id"
        self._merged = frozenset(name for (name,) in sql(merged))  # the types among whose records some gave way

    def _make_view(self, view: ReportView) -> None:
        sheet = view.name in self._sheets
        columns = []
        for field in view.fields:
            if sheet and field not in self._sheets[view.name]:
                continue
            value = f"[{field}]" if sheet else f"json_extract(doc, '$.{field}')"
            if field in view.refs:
                # a value that is no id (a name in words) stays as it is
                value = value if sheet else f"coalesce(unhex({value}, '-'), {value})"
                if self._merged:
                    value = (_EACH if field in view.lists else _ONE).format(value=value)
            columns.append(f", {value} AS [{field}]")
        table = f"[sheet/{view.name}]" if sheet else "record"
        conditions = ["1"] if sheet else [f"type = '{view.name}'", "json_extract(doc, '$._deleted') IS NULL"]
        if self._unit is not None:
            inside = "" if view.below else " WHERE own"
            conditions.append(f"channel IN (SELECT n FROM temp.scope{inside})")
        if view.name in self._merged:
            conditions.append("id NOT IN (SELECT id FROM temp.identity)")
        review = "in_review" if sheet else "conflicts IS NOT NULL AS in_review"
        self._connection.execute(
            f"CREATE TEMP VIEW [{view.name}] AS SELECT id, code, "
            f"(SELECT replace(replace(unit, '{BELOW}', ''), '{ABOVE}', '') FROM main.channel AS c WHERE c.n = t.channel) AS unit, "
            f"{review}{''.join(columns)} "
            f"FROM main.{table} AS t WHERE {' AND '.join(conditions)}"
        )

    def fill_table(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        with translate_errors():
            self._connection.execute(f"CREATE TEMP TABLE [{table}] ({', '.join(columns)})")
            marks = ",".join("?" * len(columns))
            self._connection.executemany(f"INSERT INTO [{table}] VALUES ({marks})", rows)

    def run_query(
        self, sql: str, facts: Mapping[str, object], *, name: str, sealed: bool, seconds: float = SECONDS
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        plain = _PART.sub(lambda part: " " if part[1] else re.sub("[()]", "", part[0]), sql)
        shadow = re.search(_SHADOW.replace("NAME", "|".join(self._views)), plain, re.IGNORECASE)
        if shadow:  # a WITH of a view's name would be taken for the view itself
            raise errors.ReportFault(report=name, reason="view_name", what=shadow[1])
        self._until = self._elapsed() + seconds
        denied: list[str] = []
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.set_authorizer(self._authorizer(denied, sealed=sealed))
        self._connection.set_progress_handler(lambda: self._elapsed() > self._until, _STEPS)
        try:
            try:
                columns, rows = self._run_sql(sql, facts)
            except sqlcipher.Error as fault:
                if "integer overflow" not in str(fault):
                    raise
                self._connection.create_window_function("sum", 1, _WideSum)
                columns, rows = self._run_sql(sql, facts)
        except (sqlcipher.Error, sqlcipher.Warning) as fault:  # a second statement is a Warning
            timed_out = "interrupted" in str(fault) and self._elapsed() > self._until
            if ("interrupted" in str(fault) and not timed_out) or (is_denial(fault) and not denied):
                raise KeyboardInterrupt from fault  # Ctrl-C within a handler
            if timed_out:
                raise errors.ReportFault(report=name, reason="slow", seconds=round(seconds)) from fault
            if denied or "prohibited" in str(fault):
                raise errors.ReportFault(report=name, reason="denied", what=denied[0] if denied else "") from fault
            if isinstance(fault, sqlcipher.DatabaseError) and "malformed" in str(fault):
                raise errors.StoreDamaged(part="store") from fault
            found = _FAULT.search(str(fault))
            what = (found[1] or found[2]) if found else ""
            raise errors.ReportFault(report=name, reason="sql", what=what) from fault
        finally:
            self._connection.set_progress_handler(None, 0)
            self._connection.set_authorizer(authorize)
        if not columns:
            raise errors.ReportFault(report=name, reason="sql", what="SELECT")
        if len(rows) > MOST_ROWS:
            raise errors.ReportFault(report=name, reason="rows", limit=MOST_ROWS)
        return columns, rows

    def _run_sql(self, sql: str, facts: Mapping[str, object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        cursor = self._connection.execute(sql, dict(facts))
        rows = cursor.fetchmany(MOST_ROWS + 1)
        return [str(one[0]) for one in cursor.description or ()], rows

    def _authorizer(self, denied: list[str], *, sealed: bool) -> Any:
        """Return an authorizer that allows a report only to read, and only what the views use."""

        def allowed(
            action: int, first: str | None, second: str | None, database: str | None, within: str | None
        ) -> bool:
            if action not in _ALLOWED:
                return False
            if action == sqlcipher.SQLITE_FUNCTION:
                return not _UNSAFE.search(str(second).lower())
            if action == sqlcipher.SQLITE_READ and database == "main" and first not in _TABLES_OF_JSON:
                if within not in self._views:
                    return False
                return not second or first == f"sheet/{within}" or second in _LIVING.get(first or "", ())
            if action == sqlcipher.SQLITE_READ and first in self._views and not sealed:
                return second not in self._views[first].sealed
            return True

        def answer(action: int, *names: str | None) -> int:
            if allowed(action, *names):
                return int(sqlcipher.SQLITE_OK)
            denied.append(".".join(one for one in names[:2] if one))
            return int(sqlcipher.SQLITE_DENY)

        return answer


class _WideSum:
    """SQL's sum() in Python: slower, and only where SQLite's overflows. What no 64-bit integer holds becomes a float, as in total()."""

    def __init__(self) -> None:
        self._terms = 0
        self._total: int | float = 0

    def step(self, value: object) -> None:
        """Take in a row."""
        self._add(value, 1)

    def inverse(self, value: object) -> None:
        """Leave out a row that is behind the window."""
        self._add(value, -1)

    def value(self) -> int | float | None:
        """Return the sum so far; None for no values."""
        if not self._terms:
            return None
        return self._total if abs(self._total) <= _LARGEST else float(self._total)

    finalize = value

    def _add(self, value: object, sign: int) -> None:
        if value is None:
            return
        self._terms += sign
        if isinstance(value, int | float):  # a report's text is no number
            self._total += sign * value

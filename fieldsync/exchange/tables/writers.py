"""The kinds of file that records are written to. Formulas are made harmless; numbers and dates stay what they are."""

import csv
import datetime as dt
import sqlite3
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.exchange.tables import hxl, target_files
from fieldsync.exchange.tables.column_mapping import OWN_LABELS
from fieldsync.replica.queries import Record
from fieldsync.schema import set_members
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field, Type

Json = dict[str, Any]
Listed = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]  # code, and words by language
Lists = dict[Listed, str]  # a list of choices, and the table that it is in
SEVERAL = (".db", ".sqlite")  # files that hold several tables
AS_STORED = (*SEVERAL, ".jsonl")  # for programs: never with words in place of codes
_ROWS = 1_048_000  # of a sheet
_BATCH = 1_000
_ENTRY = {"at", "by", "text"}  # what an entry of a log has
IN_MEMORY = 50_000  # records of a SQLite file that is made in memory
_TRUTH = {"en": {True: "yes", False: "no"}, "ar": {True: "نعم", False: "لا"}}


class Table(NamedTuple):
    """A type's fields and records, each once; `most` is how many they may be."""

    kind: Type
    fields: Sequence[Field]
    records: Generator[Record]
    most: int


@dataclass(frozen=True)
class Plan:
    """What is written, and how: with labels in place of names and codes, in `lang`."""

    tables: Sequence[Table]
    lang: str = "en"
    labels: bool = False

    def names(self) -> list[str]:
        """The columns' names."""
        return ["id", "code", "unit", *(one.name for one in self.tables[0].fields), "updated"]

    def heads(self) -> list[str]:
        """The columns' labels; those that two fields share say which is which."""
        words = OWN_LABELS.get(self.lang, OWN_LABELS["en"])
        labels = [label_in(one.label, self.lang, one.name) for one in self.tables[0].fields]
        shown = [
            f"{label} ({one.name})" if labels.count(label) > 1 else label
            for label, one in zip(labels, self.tables[0].fields, strict=True)
        ]
        return [words["id"], words["code"], words["unit"], *shown, words["updated"]]

    def tags(self) -> list[str]:
        """The columns' HXL hashtags."""
        return [
            *(hxl.SYSTEM[name] for name in ("id", "code", "unit")),
            *map(hxl.tag, self.tables[0].fields),
            hxl.SYSTEM["updated"],
        ]

    def rows(self) -> Iterator[list[Any]]:
        """A row of plain values for each record."""
        for record in self.tables[0].records:
            values = record.fields
            cells = [self.value(one, values.get(one.name)) for one in self.tables[0].fields]
            yield [record.id, record.code, record.unit, *cells, record.updated and record.updated.at]

    def value(self, field: Field, value: object) -> Any:
        """A value in one cell: a set's members with commas, a log's entries one a line, codes by their labels if wished."""
        if isinstance(value, list):
            if value and all(isinstance(entry, dict) and entry.keys() >= _ENTRY for entry in value):
                return "\n".join(f"{entry['at']} {entry['by']}: {entry['text']}" for entry in value)
            comma = "، " if self.labels and self.lang == "ar" else ","
            return set_members.joined((str(self.value(field, one)) for one in value), comma)
        if isinstance(value, bool) and self.labels:
            return _TRUTH.get(self.lang, _TRUTH["en"])[value]
        if isinstance(value, dict):
            return msgspec.json.encode(value).decode()
        return field.words(value, self.lang) if self.labels and field.choices and value is not None else value


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return safetext.csv_cell(value) if isinstance(value, str) else str(value)


def _csv(out: Path, plan: Plan, *, tags: bool = False) -> None:
    # the mark at the beginning tells spreadsheets that it is UTF-8
    with target_files.written(out) as raw, target_files.text(raw, "utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(map(_text, plan.heads()) if plan.labels else plan.names())
        if tags:
            writer.writerow(plan.tags())
        writer.writerows(map(_text, row) for row in plan.rows())


def _xlsx(out: Path, plan: Plan, *, tags: bool = False) -> None:
    from fieldsync.exchange.tables import workbook

    table = plan.tables[0]
    if table.most > _ROWS:
        raise errors.BadFile(file=out.name, reason="rows_beyond_sheet", most=_ROWS)
    dates = {at + 3 for at, one in enumerate(table.fields) if one.type == "date" and one.kind != "set"}

    def rows() -> Iterator[list[Any]]:
        for row in plan.rows():
            yield [_day(cell) if at in dates else cell for at, cell in enumerate(row)]

    heads = [plan.heads(), plan.names(), *([plan.tags()] if tags else [])]
    title = label_in(table.kind.plural, plan.lang, table.kind.name)
    with target_files.written(out) as file:
        workbook.write(file, title, heads, rows(), rtl=plan.lang == "ar")


def _day(cell: object) -> object:
    try:
        return dt.date.fromisoformat(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell


def _jsonl(out: Path, plan: Plan) -> None:
    table = plan.tables[0]
    shown = {one.name for one in table.fields}
    with target_files.written(out) as file:
        for record in table.records:
            fields = {name: value for name, value in record.fields.items() if name in shown}
            conflicts = [name for name in record.conflicts if name in shown]
            file.write(msgspec.json.encode(replace(record, fields=fields, conflicts=conflicts)) + b"\n")


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _sqlite(out: Path, plan: Plan) -> None:
    """Each type a table; choices, and the members of sets, tables of their own, tied with foreign keys; words to search for.

    It is made in memory; one that is too large for that in a file with a name, as SQLite knows no other.
    """
    if sum(table.most for table in plan.tables) <= IN_MEMORY:
        with target_files.written(out) as file:
            file.write(_database(":memory:", plan))
    else:
        with target_files.built(out) as draft:
            _database(str(draft), plan)


def _database(path: str, plan: Plan) -> bytes:
    """Make a database, and return it where it is in memory."""
    sys.modules.setdefault("pysqlite3", sqlite3)  # a plain file: the encrypted driver must not be found for it
    import sqlite_utils

    db = sqlite_utils.Database(sqlite3.connect(path))
    try:
        for pragma in (
            "journal_mode = OFF",
            "temp_store = MEMORY",
        ):  # else there were more plain files, beside it and elsewhere
            db.execute(f"PRAGMA {pragma}")
        lists: Lists = {}
        present = {table.kind.name for table in plan.tables}
        for table in plan.tables:
            for one in table.fields:
                if one.choices and _listed(one) not in lists:
                    lists[_listed(one)] = _list_name(db, table.kind, one, lists)
        for table in plan.tables:
            _create(db, table)
        # tables may point at each other
        db.add_foreign_keys([key for table in plan.tables for key in _keys(table, lists, present)])
        for table in plan.tables:
            _fill(db, table, plan)
        return db.conn.serialize() if path == ":memory:" else b""
    except sqlite3.OperationalError as fault:
        if "full" in str(fault):
            raise errors.DiskFull from fault
        raise
    finally:
        db.close()


def _listed(field: Field) -> Listed:
    return tuple((one.code, tuple(one.label.items())) for one in field.choices)


def _list_name(db: Any, kind: Type, field: Field, lists: Lists) -> str:
    name = f"choices_{field.name}"
    if name in lists.values():
        name = f"choices_{kind.name}_{field.name}"
    while name in lists.values():
        name += "_"
    db.table(name).create({"code": str} | {lang: str for one in field.choices for lang in one.label}, pk="code")
    db.table(name).insert_all({"code": one.code, **one.label} for one in field.choices)
    return name


def _create(db: Any, table: Table) -> None:
    kinds: dict[str, type[str | int | float]] = {"int": int, "bool": int, "number": float, "money": float}
    columns: Json = {"id": str, "code": str, "unit": str}
    columns |= {one.name: str if one.kind in ("set", "log") else kinds.get(one.type, str) for one in table.fields}
    db.table(table.kind.name).create({**columns, "updated": str}, pk="id")
    for one in table.fields:
        if one.kind == "set":
            db.table(f"{table.kind.name}_{one.name}").create({"record": str, "value": str}, pk=("record", "value"))


def _keys(table: Table, lists: Lists, present: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """The foreign keys of a type's tables: (table, column, other table, its column)."""
    for one in table.fields:
        target = _target(one, lists, present)
        if one.kind == "set":
            held = f"{table.kind.name}_{one.name}"
            yield held, "record", table.kind.name, "id"
            if target is not None:
                yield held, "value", *target
        elif target is not None:
            yield table.kind.name, one.name, *target


def _fill(db: Any, table: Table, plan: Plan) -> None:
    sets = [one for one in table.fields if one.kind == "set"]
    while batch := list(islice(table.records, _BATCH)):
        db.table(table.kind.name).insert_all(
            {
                "id": record.id, "code": record.code, "unit": record.unit,
                **{one.name: plan.value(one, record.fields.get(one.name)) for one in table.fields},
                "updated": record.updated and record.updated.at,
            }
            for record in batch
        )  # fmt: skip
        for one in sets:
            db.table(f"{table.kind.name}_{one.name}").insert_all(
                {"record": record.id, "value": member}
                for record in batch
                for member in dict.fromkeys(map(_member, _members(record.fields.get(one.name))))
            )
    words = [one.name for one in table.fields if one.name in table.kind.search]
    if words:
        db.table(table.kind.name).enable_fts(words)


def _members(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _member(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _target(field: Field, lists: Lists, present: set[str]) -> tuple[str, str] | None:
    """The table and column that a field's values are found in."""
    if field.choices and field.type != "paper":
        return lists[_listed(field)], "code"
    if field.type == "ref" and not field.or_text and len(field.to) == 1 and field.to[0] in present:
        return field.to[0], "id"
    return None


WRITERS: dict[str, Callable[[Path, Plan], None]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".jsonl": _jsonl,
    ".sqlite": _sqlite,
    ".db": _sqlite,
    ".hxl": lambda path, plan: _csv(path, plan, tags=True),
    ".hxl.csv": lambda path, plan: _csv(path, plan, tags=True),
    ".hxl.xlsx": lambda path, plan: _xlsx(path, plan, tags=True),
}

"""Writers for each kind of file. Formulas are made harmless; numbers and dates keep their types."""

import csv
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
from fieldsync.exchange.tables.plain_values import date_cell, time_cell
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


class TypeTable(NamedTuple):
    """A type's fields and records, each once; `most` is how many they may be."""

    kind: Type
    fields: Sequence[Field]
    records: Generator[Record]
    most: int


@dataclass(frozen=True)
class ExportPlan:
    """The plan of an export: columns and format; with labels in place of names and codes, in `lang`."""

    tables: Sequence[TypeTable]
    lang: str = "en"
    labels: bool = False

    def column_names(self) -> list[str]:
        """The columns' names."""
        return ["id", "code", "unit", *(one.name for one in self.tables[0].fields), "updated"]

    def column_labels(self) -> list[str]:
        """The columns' labels, made distinct where two fields share one."""
        words = OWN_LABELS.get(self.lang, OWN_LABELS["en"])
        labels = [label_in(one.label, self.lang, one.name) for one in self.tables[0].fields]
        shown = [
            f"{label} ({one.name})" if labels.count(label) > 1 else label
            for label, one in zip(labels, self.tables[0].fields, strict=True)
        ]
        return [words["id"], words["code"], words["unit"], *shown, words["updated"]]

    def column_tags(self) -> list[str]:
        """The columns' HXL hashtags."""
        return [
            *(hxl.SYSTEM[name] for name in ("id", "code", "unit")),
            *map(hxl.hxl_tag, self.tables[0].fields),
            hxl.SYSTEM["updated"],
        ]

    def plain_rows(self) -> Iterator[list[Any]]:
        """A row of plain values for each record."""
        for record in self.tables[0].records:
            values = record.fields
            cells = [self.cell_value(one, values.get(one.name)) for one in self.tables[0].fields]
            yield [record.id, record.code, record.unit, *cells, record.updated and record.updated.at]

    def cell_value(self, field: Field, value: object) -> Any:
        """A value in one cell: a set's members with commas, a log's entries one a line, codes by their labels if wished."""
        if isinstance(value, list):
            if value and all(isinstance(entry, dict) and entry.keys() >= _ENTRY for entry in value):
                return "\n".join(f"{entry['at']} {entry['by']}: {entry['text']}" for entry in value)
            comma = "، " if self.labels and self.lang == "ar" else ","
            return set_members.join_members((str(self.cell_value(field, one)) for one in value), comma)
        if isinstance(value, bool) and self.labels:
            return _TRUTH.get(self.lang, _TRUTH["en"])[value]
        if isinstance(value, dict):
            return msgspec.json.encode(value).decode()
        return field.value_words(value, self.lang) if self.labels and field.choices and value is not None else value


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return safetext.csv_cell(value) if isinstance(value, str) else str(value)


def _write_csv(out: Path, plan: ExportPlan, *, tags: bool = False) -> None:
    # the mark at the beginning tells spreadsheets that it is UTF-8
    with target_files.open_target(out) as raw, target_files.text_writer(raw, "utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow(map(_cell_text, plan.column_labels()) if plan.labels else plan.column_names())
        if tags:
            writer.writerow(plan.column_tags())
        writer.writerows(map(_cell_text, row) for row in plan.plain_rows())


def _write_xlsx(out: Path, plan: ExportPlan, *, tags: bool = False) -> None:
    from fieldsync.exchange.tables import workbook

    table = plan.tables[0]
    if table.most > _ROWS:
        raise errors.BadFile(file=out.name, reason="rows_beyond_sheet", most=_ROWS)
    dates = {at + 3 for at, one in enumerate(table.fields) if one.type == "date" and one.kind != "set"}

    def rows() -> Iterator[list[Any]]:
        for row in plan.plain_rows():
            *cells, updated = (date_cell(cell) if at in dates else cell for at, cell in enumerate(row))
            yield [*cells, time_cell(updated)]

    heads = [plan.column_labels(), plan.column_names(), *([plan.column_tags()] if tags else [])]
    title = label_in(table.kind.plural, plan.lang, table.kind.name)
    with target_files.open_target(out) as file:
        workbook.write_workbook(file, title, heads, rows(), rtl=plan.lang == "ar")


def _write_jsonl(out: Path, plan: ExportPlan) -> None:
    table = plan.tables[0]
    shown = {one.name for one in table.fields}
    with target_files.open_target(out) as file:
        for record in table.records:
            fields = {name: value for name, value in record.fields.items() if name in shown}
            conflicts = [name for name in record.conflicts if name in shown]
            file.write(msgspec.json.encode(replace(record, fields=fields, conflicts=conflicts)) + b"\n")


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _write_sqlite(out: Path, plan: ExportPlan) -> None:
    """Each type a table; choices, and the members of sets, tables of their own, tied with foreign keys; words to search for.

    It is made in memory; one that is too large for that in a file with a name, as SQLite knows no other.
    """
    if sum(table.most for table in plan.tables) <= IN_MEMORY:
        with target_files.open_target(out) as file:
            file.write(_make_database(":memory:", plan))
    else:
        with target_files.draft_path(out) as draft:
            _make_database(str(draft), plan)


def _make_database(path: str, plan: ExportPlan) -> bytes:
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
                if one.choices and _choice_list(one) not in lists:
                    lists[_choice_list(one)] = _list_name(db, table.kind, one, lists)
        for table in plan.tables:
            _create_table(db, table)
        # tables may point at each other
        db.add_foreign_keys([key for table in plan.tables for key in _foreign_keys(table, lists, present)])
        for table in plan.tables:
            _fill_table(db, table, plan)
        return db.conn.serialize() if path == ":memory:" else b""
    except sqlite3.OperationalError as fault:
        if "full" in str(fault):
            raise errors.DiskFull from fault
        raise
    finally:
        db.close()


def _choice_list(field: Field) -> Listed:
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


def _create_table(db: Any, table: TypeTable) -> None:
    kinds: dict[str, type[str | int | float]] = {"int": int, "bool": int, "number": float, "money": float}
    columns: Json = {"id": str, "code": str, "unit": str}
    columns |= {one.name: str if one.kind in ("set", "log") else kinds.get(one.type, str) for one in table.fields}
    db.table(table.kind.name).create({**columns, "updated": str}, pk="id")
    for one in table.fields:
        if one.kind == "set":
            db.table(f"{table.kind.name}_{one.name}").create({"record": str, "value": str}, pk=("record", "value"))


def _foreign_keys(table: TypeTable, lists: Lists, present: set[str]) -> Iterator[tuple[str, str, str, str]]:
    """The foreign keys of a type's tables: (table, column, other table, its column)."""
    for one in table.fields:
        target = _target_column(one, lists, present)
        if one.kind == "set":
            held = f"{table.kind.name}_{one.name}"
            yield held, "record", table.kind.name, "id"
            if target is not None:
                yield held, "value", *target
        elif target is not None:
            yield table.kind.name, one.name, *target


def _fill_table(db: Any, table: TypeTable, plan: ExportPlan) -> None:
    sets = [one for one in table.fields if one.kind == "set"]
    while batch := list(islice(table.records, _BATCH)):
        db.table(table.kind.name).insert_all(
            {
                "id": record.id, "code": record.code, "unit": record.unit,
                **{one.name: plan.cell_value(one, record.fields.get(one.name)) for one in table.fields},
                "updated": record.updated and record.updated.at,
            }
            for record in batch
        )  # fmt: skip
        for one in sets:
            db.table(f"{table.kind.name}_{one.name}").insert_all(
                {"record": record.id, "value": member}
                for record in batch
                for member in dict.fromkeys(map(_member_text, _set_members(record.fields.get(one.name))))
            )
    words = [one.name for one in table.fields if one.name in table.kind.search]
    if words:
        db.table(table.kind.name).enable_fts(words)


def _set_members(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _member_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _target_column(field: Field, lists: Lists, present: set[str]) -> tuple[str, str] | None:
    """The table and column that a field's values are found in."""
    if field.choices and field.type != "paper":
        return lists[_choice_list(field)], "code"
    if field.type == "ref" and not field.or_text and len(field.to) == 1 and field.to[0] in present:
        return field.to[0], "id"
    return None


WRITERS: dict[str, Callable[[Path, ExportPlan], None]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".jsonl": _write_jsonl,
    ".sqlite": _write_sqlite,
    ".db": _write_sqlite,
    ".hxl": lambda path, plan: _write_csv(path, plan, tags=True),
    ".hxl.csv": lambda path, plan: _write_csv(path, plan, tags=True),
    ".hxl.xlsx": lambda path, plan: _write_xlsx(path, plan, tags=True),
}

"""Records into a file for other programs: CSV as spreadsheets read it, JSON lines, or a plain SQLite file.

Such a file is not encrypted. Fields of the highest sensitivity never go into one.
"""

import csv
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.schema.model import Field, Type
from fieldsync.sync import read
from fieldsync.sync.node import Node

Progress = Callable[[int, int | None, str], None]
Json = dict[str, Any]
SECRET = 4  # the sensitivity from which on a field stays in the store
_STEP = 500


def export(node: Node, type: str, out: Path, *, progress: Progress | None = None) -> Json:
    """Write all records of a type; the file's name says how. Returns {"file", "records", "left_out"}.

    Usage, BadFile, UnknownType.
    """
    kind = node.schema.type(type)
    write = _WRITERS.get(out.suffix.lower())
    if write is None:
        raise errors.Usage(reason="export_format", known=sorted(_WRITERS))
    fields = [one for one in kind.fields.values() if one.sensitivity < SECRET]
    draft = out.with_name(out.name + ".new")
    count = 0
    with node.store.read() as tx:
        total = tx.counts().get(type, 0)

    def records() -> Iterator[Json]:
        nonlocal count
        for record in _all(node, type):
            count += 1
            if progress is not None and count % _STEP == 0:
                progress(count, total, "writing")
            yield record

    try:
        draft.unlink(missing_ok=True)
        write(draft, kind, fields, records())
        draft.replace(out)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise errors.BadFile(file=out.name, reason="unwritable") from fault
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    left_out = [name for name, one in kind.fields.items() if one.sensitivity >= SECRET]
    return {"file": str(out), "records": count, "left_out": left_out}


def _all(node: Node, type: str) -> Iterator[Json]:
    with node.store.read() as tx:
        shower = read.Shower(node, tx)
        for row in tx.select(type=type):
            if "_deleted" not in row.doc:
                yield shower.record(row)


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _csv(path: Path, _kind: Type, fields: list[Field], records: Iterator[Json]) -> None:
    with open(_private(path), "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "code", "unit", *(one.name for one in fields), "updated"])
        for record in records:
            values = record["fields"]
            cells = [safetext.csv_cell(_flat(values.get(one.name))) for one in fields]
            writer.writerow([record["id"], record["code"], record["unit"], *cells, (record["updated"] or {}).get("at")])


def _jsonl(path: Path, _kind: Type, fields: list[Field], records: Iterator[Json]) -> None:
    open_names = {one.name for one in fields}
    with open(_private(path), "wb") as file:
        for record in records:
            record["fields"] = {name: value for name, value in record["fields"].items() if name in open_names}
            file.write(msgspec.json.encode(record) + b"\n")


def _sqlite(path: Path, kind: Type, fields: list[Field], records: Iterator[Json]) -> None:
    sys.modules.setdefault("pysqlite3", sqlite3)  # a plain file: the encrypted driver must not be found for it
    import sqlite_utils

    os.close(_private(path))
    kinds: dict[str, type[str | int | float]] = {"int": int, "bool": int, "number": float, "money": float}
    columns: Json = {"id": str, "code": str, "unit": str}
    columns |= {one.name: str if one.kind == "set" else kinds.get(one.type, str) for one in fields}
    columns["updated"] = str
    db = sqlite_utils.Database(sqlite3.connect(path))
    table = db.create_table(kind.name, columns, pk="id")
    table.insert_all(
        {
            "id": record["id"], "code": record["code"], "unit": record["unit"],
            **{one.name: _value(record["fields"].get(one.name)) for one in fields},
            "updated": (record["updated"] or {}).get("at"),
        }
        for record in records
    )  # fmt: skip
    db.close()


def _value(value: object) -> object:
    return _flat(value) if isinstance(value, list) else value


def _flat(value: object) -> str:
    """A value in one cell: a set's members with commas, a log's entries one a line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return "\n".join(f"{entry['at']} {entry['by']}: {entry['text']}" for entry in value)
        return ",".join(map(str, value))
    return str(value)


_WRITERS: dict[str, Callable[[Path, Type, list[Field], Iterator[Json]], None]] = {
    ".csv": _csv, ".jsonl": _jsonl, ".sqlite": _sqlite, ".db": _sqlite,
}  # fmt: skip

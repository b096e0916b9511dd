"""Export of records for other programs: CSV and workbooks, JSON lines, HXL, or a plain SQLite file.

Such a file is not encrypted. Fields of the highest sensitivity are never exported; those below it only when somebody who
may decide reviews asks for them. Deleted and merged records are left out.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.grants import DECIDERS
from fieldsync.exchange.tables import writers
from fieldsync.exchange.tables.plain_values import plain_value
from fieldsync.exchange.tables.writers import ExportPlan, TypeTable
from fieldsync.replica.lookup import RelatedRecords
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper, selection
from fieldsync.schema import given_names
from fieldsync.schema.model import Field, Type
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, Progress, RecordQuery

SECRET = 4  # the sensitivity from which on a field stays in the store
SENSITIVE = 3  # and from which on it goes out only when asked for
ALL = "all"
_STEP = 500
_CODES = 100_000  # kept in memory


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export: records with these values, these fields; labels in place of names and codes, in `lang`."""

    where: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[str] = ()
    sensitive: bool = False
    labels: bool = False
    lang: str = "en"


class ExportedFile(Struct, frozen=True):
    """An exported file.

    types: their types.
    records: how many.
    left_out: the sensitive fields that were not written; of several types as TYPE.FIELD.
    """

    file: str
    types: list[str]
    records: int
    left_out: list[str]


def export_records(
    node: Node, type: str, out: Path, wish: ExportOptions | None = None, *, progress: Progress | None = None
) -> ExportedFile:
    """Export all records of a type, in the format of the file's extension.

    A SQLite file takes several types, with commas, or all that have records. Usage, BadFile, UnknownType, UnknownField,
    RoleRefused.
    """
    wish = wish or ExportOptions()
    ending = _file_kind(out)
    write = writers.WRITERS.get(ending)
    if write is None:
        raise errors.Usage(reason="export_format", known=sorted(writers.WRITERS))
    names = _exported_types(node, type)
    if len(names) > 1 and ending not in writers.SEVERAL:
        raise errors.Usage(reason="export_several", known=sorted(writers.SEVERAL))
    if wish.sensitive and not any(grant.role in DECIDERS for grant in node.grants):
        raise errors.RoleRefused(role=node.role, needs=list(DECIDERS))
    kinds = [node.schema.types[name] for name in names]
    chosen = [_exported_fields(kind, wish) for kind in kinds]
    conditions = [selection(kind, wish.where) for kind in kinds]
    with node.store.read() as tx:
        counts = tx.count_by_type()
    labels = wish.labels and ending not in writers.AS_STORED
    words = _ReferenceWords()
    total = sum(counts.get(name, 0) for name in names)
    done = 0

    def records(kind: Type, found: dict[str, Any]) -> Generator[Record]:
        nonlocal done
        with node.store.read() as tx:
            shower, related = RecordShaper(node, tx), RelatedRecords(node, tx)
            for row in tx.select_rows(RecordQuery(type=kind.name, deleted=False, standing=True, **found)):
                done += 1
                if progress is not None and done % _STEP == 0:
                    progress(done, total, "writing")
                record = shower.record(row)
                values = {name: plain_value(value) for name, value in record.fields.items()}
                if labels:
                    words.replace_ids(tx, related, kind, values)
                yield replace(record, fields=values)

    tables = [
        TypeTable(kind, fields, records(kind, found), counts.get(kind.name, 0))
        for kind, fields, found in zip(kinds, chosen, conditions, strict=True)
    ]
    plan = ExportPlan(tables, wish.lang, labels=labels)
    try:
        write(out, plan)
    finally:
        for table in tables:  # one that was not read to its end reads the store still
            table.records.close()
    kept = {(kind.name, one.name) for kind, fields in zip(kinds, chosen, strict=True) for one in fields}
    many = len(kinds) > 1
    left_out = [
        f"{kind.name}.{one.name}" if many else one.name
        for kind in kinds
        for one in kind.fields.values()
        if one.sensitivity >= SENSITIVE and (kind.name, one.name) not in kept
    ]
    return ExportedFile(str(out), names, done, left_out)


class _ReferenceWords(dict[str, str]):
    """Names and codes of records that others point at, as imports read them again: هدى الحسن (JBL-B-2-RG)."""

    def replace_ids(self, tx: ReadTx, related: RelatedRecords, kind: Type, fields: Document) -> None:
        """Put names and codes in place of the ids that a record points at; an id that is not here stays."""
        for name in fields.keys() & {one.name for one in kind.fields.values() if one.type == "ref"}:
            value = fields[name]
            several = value if isinstance(value, list) else [value]
            self._look_up(tx, related, several)
            known = [self.get(one, one) for one in several]
            fields[name] = known if isinstance(value, list) else known[0]

    def _look_up(self, tx: ReadTx, related: RelatedRecords, values: Sequence[object]) -> None:
        if len(self) > _CODES:
            self.clear()
        wanted = {one for one in values if isinstance(one, str) and is_id(one) and one not in self}
        for row in tx.rows(record_ids.from_text(one) for one in wanted).values() if wanted else ():
            code, title = row.code or record_ids.id_text(row.state.record), related.title_of(row)
            self[record_ids.id_text(row.state.record)] = f"{title} ({code})" if title else code
        for one in wanted:
            self.setdefault(one, one)


def _file_kind(out: Path) -> str:
    ends = [suffix.lower() for suffix in out.suffixes[-2:]]
    return "".join(ends) if ends[:1] == [".hxl"] else "".join(ends[-1:])


def _exported_types(node: Node, asked: str) -> list[str]:
    if asked != ALL:
        given = [name.strip() for name in asked.split(",") if name.strip()] or [asked]
        return list(dict.fromkeys(given_names.type_named(node.schema, name).name for name in given))
    with node.store.read() as tx:
        counts = tx.count_by_type()
    return [name for name in node.schema.types if counts.get(name)] or list(node.schema.types)[:1]


def _exported_fields(kind: Type, wish: ExportOptions) -> list[Field]:
    """The fields that go out: those asked for, or all; a secret that is asked for by name is refused, never left out silently."""
    # a file of those with a certain value tells that value of each
    asked = [given_names.field_named(kind, name).name for name in wish.fields]
    conditions = [given_names.condition_name(kind, name) for name in wish.where]
    for name in (*asked, *(one for one in conditions if one in kind.fields)):
        spec = kind.fields[name]
        if spec.sensitivity >= SECRET or (spec.sensitivity >= SENSITIVE and not wish.sensitive):
            reason = "export_secret" if spec.sensitivity >= SECRET else "export_sensitive"
            raise errors.IllegalValue(type=kind.name, field=name, reason=reason)
    wanted = asked or list(kind.fields)
    limit = SECRET if wish.sensitive else SENSITIVE
    return [kind.fields[name] for name in dict.fromkeys(wanted) if kind.fields[name].sensitivity < limit]

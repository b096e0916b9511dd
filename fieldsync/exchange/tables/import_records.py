"""Import of records, all or none: every row is validated, and one transaction saves them if all are valid.

Columns are normalised one at a time, in batches of rows; only unusual values are handled singly. An empty cell leaves
its field unchanged; removing a value is an edit.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from fieldsync import errors
from fieldsync.core.units import check_unit
from fieldsync.exchange.tables import column_mapping, value_maps
from fieldsync.exchange.tables.cells import (
    CellMemory,
    Normal,
    blank_nothing,
    even_rows,
    has_value,
    read_tick,
    total_rows,
    union_members,
    unquote_cell,
    without_headers,
)
from fieldsync.exchange.tables.column_mapping import ColumnMapping
from fieldsync.exchange.tables.header_detection import without_heads
from fieldsync.exchange.tables.imported_file import ImportedFile, first_rejected
from fieldsync.exchange.tables.normalisers import cell_normaliser, typed_normaliser
from fieldsync.exchange.tables.paper_columns import number_reader
from fieldsync.exchange.tables.plain_values import UNCOMPUTED
from fieldsync.exchange.tables.readers import Row, open_sheet
from fieldsync.exchange.tables.record_matching import RecordMatcher
from fieldsync.exchange.tables.rejects import (
    MAX_FAULTS,
    OWN_HEADERS,
    ImportOutcome,
    RowBatch,
    Words,
    reject_headers,
    write_rejects,
)
from fieldsync.exchange.tables.repeat_sheets import ParentRows
from fieldsync.exchange.tables.row_doubts import RowDoubts
from fieldsync.exchange.tables.row_drafts import RowDrafter, RowValues
from fieldsync.replica import commit_writer, value_reader
from fieldsync.replica.node import Node
from fieldsync.schema import dates, given_names
from fieldsync.schema.model import Field, Type
from fieldsync.schema.text_columns import text_column_reader
from fieldsync.store import Tx
from fieldsync.store.contract import Progress

MAX_ROWS = 1_048_576


class ImportOptions(NamedTuple):
    """Options of an import: `given` maps columns to fields, `values` maps words to choices.

    `key` is a field whose value names the record to change; `unit` is where new records go; with `skip_bad` the good rows are
    imported though others are bad, with `skip_identical` one of several identical rows; with `only_sure` nothing is imported if
    any row is doubtful (`RowDoubts`), and the result is a dry run's; with `ask_words` a word that is none of a field's choices refuses
    the file even with `skip_bad`.
    """

    given: Mapping[str, str] = MappingProxyType({})
    key: str | None = None
    sheet: str | None = None
    unit: str | None = None
    dry_run: bool = False
    skip_bad: bool = False
    skip_identical: bool = False
    only_sure: bool = False
    ask_words: bool = False
    values: Mapping[str, Mapping[str, str]] = MappingProxyType({})


_DEFAULTS = ImportOptions()


class _ImportSource(NamedTuple):
    """The file that rows come from; `faulty` are the cells that hold a workbook's error, `digest` is of its bytes."""

    name: str
    quoted: bool
    faulty: frozenset[str] | None
    digest: bytes


class _RolledBack(Exception):
    """No error: it takes the transaction back."""


def import_file(
    node: Node,
    path: Path,
    type: str,
    options: ImportOptions = _DEFAULTS,
    *,
    progress: Progress | None = None,
    words: Words | None = None,
) -> ImportedFile:
    """Import a file's rows as records of a type. BadFile, BadRows, UnitRefused.

    What the options say of columns is remembered for the next file with this header. `words` says why a value is refused,
    in the file beside it.
    """
    kind = node.schema.type(type)
    with open_sheet(path, options.sheet) as table:
        outcome = ImportOutcome(most=MAX_ROWS if options.skip_bad else MAX_FAULTS)
        beside: errors.BadRows | None = None
        try:
            with node.store.write() as tx:
                source = _ImportSource(path.name, table.quoted, table.faulty, _file_digest(path))
                importer = _BatchImporter(node, tx, kind, source, outcome, options)
                for first, rows in without_heads(table, kind, options.given):
                    importer.tags = table.tags
                    importer.import_rows(table.names, first, rows)
                    if progress is not None:
                        progress(*table.place(), "reading")
                importer.finish(table.names)
                if outcome.faults:
                    beside = write_rejects(path, table.names, outcome, words)
                    if options.skip_bad and beside.facts["rejected"] is None:  # nobody would know of the rows left out
                        raise errors.BadFile(file=path.name, reason="rejects_unwritten")  # noqa: TRY301 - it takes the transaction back
                asks = options.ask_words and beside is not None and any(beside.unknown.values())
                held = asks or options.dry_run or (options.only_sure and importer.doubts.found())
                if held or (outcome.faults and not (options.skip_bad and outcome.count_acceptable)):
                    raise _RolledBack  # noqa: TRY301 - what the transaction ends by
        except _RolledBack:
            pass
        except errors.BadFile as refused:
            if refused.facts.get("reason") == "header_unlike" and table.others:
                refused.facts |= {"reason": "header_sheet", "sheet": table.sheet, "sheets": table.others}
            raise
        if outcome.faults or held:
            with node.store.write() as tx:
                importer.remember_columns(tx, table.names, keyed=False)
                importer.remember_columns(tx, reject_headers(table.names, words))
        if beside is not None and (asks or not (options.skip_bad and outcome.count_acceptable)):
            raise beside
    return ImportedFile(
        rejected_file=UNSET if beside is None else msgspec.convert(beside.facts["rejected"], str),
        first=UNSET if beside is None else first_rejected(beside),
        added=outcome.added,
        changed=outcome.changed,
        unchanged=outcome.unchanged,
        rejected=len(outcome.bad_rows),
        file=str(path),
        dry_run=held,
        identical=importer.doubts.identical_rows() or UNSET,
        nameless=importer.doubts.nameless_rows() or UNSET,
        new_units=importer.doubts.new_units() or UNSET,
        columns=outcome.columns,
        key=outcome.key,
        encoding=table.encoding,
        sheet=table.sheet,
        other_sheets=table.others,
    )


class _BatchImporter:
    """Imports batches of rows within one transaction."""

    def __init__(
        self, node: Node, tx: Tx, kind: Type, source: _ImportSource, outcome: ImportOutcome, options: ImportOptions
    ) -> None:
        if kind.retired:
            raise errors.RetiredType(type=kind.name)
        self._node, self._tx, self._kind, self._source, self._outcome = node, tx, kind, source, outcome
        self._given: Mapping[str, str] = column_mapping.with_field_names(options.given, kind)
        self._key = given_names.field_named(kind, options.key) if options.key is not None else None
        self._matcher = RecordMatcher(node, tx, kind, self._key)
        self._options = options
        self._values_said = value_maps.merge_maps(value_maps.load_maps(tx, kind), options.values)
        self.tags: Mapping[str, str] = {}  # columns by their hashtags
        self._parents = ParentRows(tx, kind, source.digest)
        self._unit = check_unit(options.unit) if options.unit else (node.units[0] if node.units else "")
        self._today = node.today()
        self._reader = value_reader.reader_for_files(tx, node.schema)
        self.doubts = RowDoubts(node, tx, kind, skip_identical=options.skip_identical)
        self._drafter = RowDrafter(node, tx, kind, self._unit, outcome, self.doubts)
        self._names: tuple[str, ...] = ()
        self._columns: list[ColumnMapping] = []
        self._memory: dict[str, CellMemory] = {}
        self._past = frozenset(one.name for one in kind.fields.values() if one.past)
        self._imported_before = False  # this very file: what it says was said

    def finish(self, headers: Sequence[str]) -> None:
        """Store the mapping, and record the import; a header without rows is validated too (BadFile)."""
        if not self._names:
            self._prepare_columns(headers)
        self.remember_columns(self._tx, self._names)
        self._parents.store_rows()
        if self._outcome.faults:
            return  # rows that were left out may be valid next time
        self._tx.settings.imported_files[self._import_mark()] = True
        if self._tx.act:
            self._tx.settings.import_marks[str(self._tx.act)] = self._import_mark()

    def remember_columns(self, tx: Tx, headers: Sequence[str], *, keyed: bool = True) -> None:
        """Store the mapping for files with this header; a refused file's key is left out, as it may be the fault."""
        key = self._key.name if self._key else None
        column_mapping.store_mapping(
            tx,
            self._kind,
            headers,
            self._given,
            key if keyed else column_mapping.load_mapping(tx, self._kind, headers)[1],
        )
        value_maps.store_maps(tx, self._kind, {name: dict(one) for name, one in self._options.values.items()})

    def _check_key(self) -> None:
        if self._key is not None and all(column.name != self._key.name for column in self._columns):
            raise errors.BadFile(file=self._source.name, reason="no_key", field=self._key.name)

    def _prepare_columns(self, headers: Sequence[str]) -> None:
        """Make ready for these columns, in the order in which a commit carries fields."""
        self._names = tuple(headers)
        before, key = column_mapping.load_mapping(self._tx, self._kind, headers)
        if self._key is None and key is not None:
            self._key = self._kind.field(key)
            self._matcher = RecordMatcher(self._node, self._tx, self._kind, self._key)
        self._given = before | {**self._given}
        found = column_mapping.map_columns(self._source.name, headers, self._kind, {**self.tags, **self._given})
        self._parents.find_columns(headers, {column.name for column in found})
        self._columns = sorted(found, key=lambda column: column.name)
        self._outcome.columns = {c.header: f"{c.name}/{c.member}" if c.member else c.name for c in found}
        self._outcome.key = self._key.name if self._key is not None else None
        for column in self._columns:
            if column.member and column.field is not None:
                self._drafter.split.setdefault(column.name, set()).add(column.member)
                self._memory[f"{column.name}/{column.member}"] = CellMemory(self._member_reader(column.field, column))
            elif column.field is not None:
                self._memory.setdefault(column.name, self._column_memory(column.field))
        self._check_key()
        self._imported_before = self._tx.settings.imported_files[self._import_mark()]

    def _column_memory(self, spec: Field) -> CellMemory:
        plain = None if self._values_said.get(spec.name) else text_column_reader(spec)
        return CellMemory(self._cell_normaliser(spec), typed_normaliser(spec), plain)

    def _cell_normaliser(self, spec: Field) -> Normal:
        unknown = self._outcome.unknown.setdefault(spec.name, {})
        normal = cell_normaliser(spec, self._reader)
        return value_maps.mapped_normaliser(spec, self._values_said.get(spec.name, {}), normal, unknown)

    def _member_reader(self, spec: Field, column: ColumnMapping) -> Normal:
        if column.is_paper:
            return number_reader(column.member, cell_normaliser(spec, self._reader))
        return read_tick(spec, column.member)

    def _import_mark(self) -> str:
        """Return the key that an imported file leaves in the store, with its columns understood as they are now."""
        columns = repr((self._kind.name, self._unit, self._outcome.key, sorted(self._outcome.columns.items())))
        return hashlib.sha256(self._source.digest + columns.encode("utf-8", "replace")).hexdigest()[:24]

    def import_rows(self, headers: Sequence[str], first: int, rows: list[Row]) -> None:
        """Judge rows and, unless it is a dry run, save them."""
        if tuple(headers) != self._names:
            self._prepare_columns(headers)
        rows, numbers = even_rows(rows, first, len(self._names), self._outcome, pad=not self._source.quoted)
        rows, numbers = without_headers(
            rows, numbers, {c.at: column_mapping.original_header(c.header) for c in self._columns}
        )
        if not rows:
            return
        cells: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if self._source.quoted:
            cells = [list(map(unquote_cell, column)) if "'" in "".join(column) else column for column in cells]
        batch = RowBatch(rows, numbers, self._outcome)
        told = [column for name, column in zip(headers, cells, strict=True) if name not in OWN_HEADERS]
        totals = total_rows(told)
        if totals:  # what else is wrong in them says nothing
            mapped = [blank_nothing(cells[column.at]) for column in self._columns]
            for i in totals:
                if has_value(mapped, i):
                    batch.add_fault(i, "", {"reason": "total"})
            cells = [[None if i in totals else cell for i, cell in enumerate(column)] for column in cells]
        fields, values = self._batch_values(batch, cells)
        system = {column.name: blank_nothing(cells[column.at]) for column in self._columns if column.field is None}
        records = self._matcher.match_rows(batch, system, fields, values)
        if self._imported_before:
            good = (i for i, record in enumerate(records) if not batch.is_bad(i) and (record or has_value(values, i)))
            self._outcome.unchanged += sum(1 for _ in good)
            return
        drafts = self._drafter.draft_rows(batch, RowValues(fields, values, records), self._matcher)
        self._parents.note_rows(cells, records)
        if drafts and not self._options.dry_run and (self._options.skip_bad or not self._outcome.faults):
            commit_writer.commit_drafts(self._node, self._tx, drafts, known=self._drafter.stored)

    def _batch_values(self, batch: RowBatch, cells: Sequence[Sequence[Any]]) -> tuple[list[str], list[list[Any]]]:
        """Return the fields that the file has and their stored values, by field; columns of one set's members make one."""
        plain = [column for column in self._columns if column.field is not None]
        cells, along = self._with_precisions(plain, cells)
        made = [self._column_values(batch, column, cells[column.at]) for column in plain]
        names = [column.name for column in plain]
        for name in along.keys() & names:
            at = names.index(name)
            made[at] = [said or given for said, given in zip(made[at], along.pop(name), strict=True)]
        owner = self._parents.owner
        if owner is not None:
            along[owner] = [
                batch.try_step(i, owner, self._parents.find_parent, *row)
                for i, row in enumerate(self._parents.parent_references(cells))
            ]
        if along:
            names += along
            made += along.values()
            order = sorted(range(len(names)), key=names.__getitem__)
            names, made = [names[at] for at in order], [made[at] for at in order]
        if not self._drafter.split and len(set(names)) == len(names):
            return names, made
        fields: dict[str, list[Any]] = {}
        columns = [*plain, *(ColumnMapping(-1, name, name, self._kind.fields[name]) for name in along)]
        for column, values in zip(sorted(columns, key=lambda one: one.name), made, strict=True):
            if not column.member or column.is_paper:
                have = fields.get(column.name, values)
                fields[column.name] = values if have is values else list(map(union_members, have, values))
                continue
            sets = fields.setdefault(column.name, [None] * len(values))
            for i, there in enumerate(values):
                if there is not None:
                    sets[i] = sorted([*(sets[i] or ()), *([column.member] if there else ())])
        return list(fields), list(fields.values())

    def _with_precisions(
        self, plain: Sequence[ColumnMapping], cells: Sequence[Sequence[Any]]
    ) -> tuple[list[Sequence[Any]], dict[str, list[Any]]]:
        """Return the cells with years and ages as days, and the columns for their precision."""
        told, along = list(cells), dict[str, list[Any]]()
        for column in plain:
            precision = dates.precision_field(self._kind.fields, column.name) if column.field.type == "date" else None  # type: ignore[union-attr]  # plain ones have a field
            if precision is None:
                continue
            found = [dates.approximate_date(cell, self._today) for cell in cells[column.at]]
            if any(found):
                pairs = zip(found, cells[column.at], strict=True)
                told[column.at] = [cell if one is None else one[0] for one, cell in pairs]
                along[precision.name] = [one and one[1] for one in found]
        return told, along

    def _column_values(self, batch: RowBatch, column: ColumnMapping, cells: Sequence[Any]) -> list[Any]:
        """Return a column's stored values; a value that is refused is a fault, and nothing."""
        memory = self._memory[f"{column.name}/{column.member}" if column.member else column.name]
        faulty = self._source.faulty
        if faulty is not None and not faulty.isdisjoint(cell for cell in cells if type(cell) is str):
            for i, cell in enumerate(cells):
                if cell in faulty:
                    batch.add_fault(i, column.name, {"reason": "uncomputed" if cell == UNCOMPUTED else "cell_fault"})
            cells = [None if cell in faulty else cell for cell in cells]
        try:
            values = memory.values_of(cells)
        except (errors.BadInput, errors.NotFound):
            normal = memory.normal
            values = [batch.try_step(i, column.name, normal, cell) for i, cell in enumerate(cells)]
        if column.name in self._past:
            for i, value in enumerate(values):
                if value is not None and value > self._today[: len(value)]:
                    batch.add_fault(i, column.name, {"reason": "future", "today": self._today})
        return values


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()

"""Drafts from an imported file's rows: new records, and changes of existing ones."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import stale_values
from fieldsync.exchange.tables.cells import has_value
from fieldsync.exchange.tables.column_mapping import ID, UNIT
from fieldsync.exchange.tables.normalisers import cell_normaliser, with_state
from fieldsync.exchange.tables.record_matching import RecordMatcher, check_changeable
from fieldsync.exchange.tables.reimport import ImportedRecords
from fieldsync.exchange.tables.rejects import ImportOutcome, RowBatch
from fieldsync.exchange.tables.row_doubts import RowDoubts
from fieldsync.replica import commit_writer, composite_fields, record_units, save, value_reader
from fieldsync.replica.changes import Changes, Draft, set_difference
from fieldsync.replica.composite_fields import EntryAuthor, ExpandedFields
from fieldsync.replica.node import Node
from fieldsync.replica.save_checks import SaveChecks, check_authority
from fieldsync.schema import write_roles
from fieldsync.schema.equality import equal_stored
from fieldsync.schema.model import Type
from fieldsync.schema.values import is_id
from fieldsync.store import Tx
from fieldsync.store.contract import Row as Stored


class RowValues(NamedTuple):
    """Some rows as stored values: `values` are by field, `records` by row (None: a new one)."""

    fields: list[str]
    values: list[list[Any]]
    records: list[bytes | None]


class RowDrafter:
    """Makes drafts of a file's rows within one transaction; `stored` are the records that the last rows named."""

    def __init__(self, node: Node, tx: Tx, kind: Type, unit: str, outcome: ImportOutcome, doubts: RowDoubts) -> None:
        self._doubts = doubts
        self._node, self._tx, self._kind, self._unit, self._outcome = node, tx, kind, unit, outcome
        self.split: dict[str, set[str]] = {}  # sets with a column for each member, and the members that have one
        self.stored: dict[bytes, Stored] = {}
        self._matcher = RecordMatcher(node, tx, kind, None)
        self._known: ImportedRecords | None = None
        self._checks = SaveChecks(node, tx)
        reader = value_reader.reader_for_files(tx, node.schema)
        self._worded = {f.name: cell_normaliser(f, reader) for f in kind.fields.values() if f.or_text}
        self._ruled = bool(write_roles.guarded_fields(kind)) or any(
            one.rule or one.over for one in kind.fields.values()
        )
        self._fresh = tx.count_records() == 0  # nothing to be found: then nothing is looked for
        self._role = node.may_write(unit).role

    def draft_rows(self, batch: RowBatch, rows: RowValues, matcher: RecordMatcher) -> list[Draft]:
        """Return a draft for each row that brings something new; rows that are refused get none."""
        fields, values, records = rows
        self._matcher = matcher
        stored = {} if self._fresh else self._tx.rows(record for record in records if record is not None)
        self.stored = stored
        new = [
            i
            for i, record in enumerate(records)
            if record not in stored
            and not batch.is_bad(i)
            # a row that only has its number in the list, or a total, is nobody
            and (record is not None or has_value(values, i))
        ]
        repeated = self._doubts.repeated_rows(batch, values, [i for i in new if records[i] is None])
        if not self._fresh and matcher.key is None and any(records[i] is None for i in new):
            new = self._rows_not_imported(rows, new)
        kept = self._doubts.note_repeated(batch, repeated, new)
        self._outcome.unchanged += len(new) - len(kept)
        new = kept
        drafts = self._new_drafts(batch, rows, new)
        if stored:
            table = list(zip(*values, strict=True)) if values else [()] * len(records)
            for i, record in enumerate(records):
                row = stored.get(record) if record is not None else None
                if row is not None and not batch.is_bad(i):
                    draft = batch.try_step(
                        i, "", self._draft_change, row, dict(zip(fields, table[i], strict=True)), batch.unit_of_row(i)
                    )
                    if draft is not None:
                        drafts.append(draft)
                        self._outcome.changed += 1
                    elif not batch.is_bad(i):
                        self._outcome.unchanged += 1
        return drafts

    def _rows_not_imported(self, rows: RowValues, new: list[int]) -> list[int]:
        """Return the rows that were not imported before; those without an id that were count as unchanged."""
        fields, values, records = rows
        if self._known is None:
            self._known = ImportedRecords(self._node, self._tx, self._kind.name)
        initial = self._kind.lifecycle.initial_state if self._kind.lifecycle and "state" in self._kind.fields else None
        left = []
        for i in new:
            said = {n: column[i] for n, column in zip(fields, values, strict=True) if column[i] not in (None, [])}
            if initial is not None:
                said.setdefault("state", initial)
            if records[i] is None and self._known.claim_match(said):
                self._outcome.unchanged += 1
            else:
                left.append(i)
        return left

    def _new_drafts(self, batch: RowBatch, rows: RowValues, new: list[int]) -> list[Draft]:
        """Return the drafts of new records, each with its fields in a commit's order; `values` are by column."""
        if not new:
            return []
        fields, values, records = rows
        kind = self._kind
        named, columns = list(fields), values
        if len(new) < len(records):
            columns = [[column[i] for i in new] for column in values]
        if kind.lifecycle is not None and "state" in kind.fields:
            named, columns = with_state(named, columns, kind.lifecycle.initial_state, len(new))
        plain = batch.units is None and kind.belongs_to not in fields
        units = [self._unit] * len(new) if plain else [self._unit_of_new(batch, i, fields, values) for i in new]
        refs = [at for at, name in enumerate(named) if kind.fields[name].to]
        for i, row in zip(new, zip(*columns, strict=True), strict=True) if refs else ():
            batch.try_step(i, "", self._checks.references.check_references, kind, {named[at]: row[at] for at in refs})
        if self._ruled or "state" in fields:
            for i, row in zip(new, zip(*columns, strict=True), strict=True):
                batch.try_step(i, "", self._check_new, {n: v for n, v in zip(named, row, strict=True) if v is not None})
        good = [at for at, i in enumerate(new) if not batch.is_bad(i)]
        if len(good) < len(new):  # no code is kept for a row that is left out
            new, units = [new[at] for at in good], [units[at] for at in good]
            columns = [[column[at] for at in good] for column in columns]
        if not new:
            return []
        self._outcome.added += len(new)
        self._doubts.note_new(batch, new, named, columns)
        self._doubts.note_units(batch, new, units)
        head = ["_code", "_unit", *named]
        blank = [n for n, column in zip(named, columns, strict=True) if None in column or n in self.split]
        drafts = []
        for i, row in zip(new, zip(self._new_codes(units), units, *columns, strict=True), strict=True):
            filled = dict(zip(head, row, strict=True))
            for name in blank:
                if filled[name] in (None, []):
                    del filled[name]
            records[i] = records[i] or self._node.new_id()
            drafts.append(Draft(records[i], kind.name, kind.version, filled, {}))  # type: ignore[arg-type]  # it has one now
        return drafts

    def _new_codes(self, units: list[str]) -> list[str]:
        if len(set(units)) == 1:
            return commit_writer.next_code(self._node, self._tx, units[0], count=len(units))
        return [commit_writer.next_code(self._node, self._tx, unit)[0] for unit in units]

    def _unit_of_new(self, batch: RowBatch, i: int, fields: list[str], values: list[list[Any]]) -> str:
        """The unit of a new row: as given, else its owner's, else the person's own."""
        given = batch.unit_of_row(i)
        if given:
            return given
        owner = self._kind.belongs_to
        if owner in fields:
            value = values[fields.index(owner)][i]
            unit = (
                record_units.home_of(self._node, self._tx, record_ids.from_text(value))
                if value and is_id(value)
                else None
            )
            if unit is not None:
                if not self._matcher.may_write(unit):
                    batch.add_fault(i, owner, {"reason": "unit"})
                return unit
        return self._unit

    def _check_new(self, fields: dict[str, Any]) -> None:
        plain, sets = self._split_composite(fields)
        self._checks.check_values(self._kind, plain, {}, ExpandedFields({}, sets, {}))
        check_authority(self._kind, plain, {}, self._role, new=True)

    def _split_composite(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        sets = {n: v for n, v in fields.items() if self._kind.fields[n].kind == "set"}
        return {n: v for n, v in fields.items() if n not in sets}, sets

    def _is_same(self, name: str, given: object, stored: object) -> bool:
        """Return whether a field has a value already; words for a record equal its id."""
        worded = self._worded.get(name)
        field = self._kind.fields[name]
        return equal_stored(field, given, stored) or (worded is not None and equal_stored(field, given, worded(stored)))

    def _draft_change(self, row: Stored, fields: dict[str, Any], unit: str) -> Draft | None:
        """Return the draft of a row's changes to an existing record; None without changes."""
        if row.state.type != self._kind.name:
            raise errors.IllegalValue(field=ID, reason="other_type")
        here = record_units.units_of(self._tx, row)
        if (unit and unit not in here) or not any(map(self._matcher.may_write, here)):
            raise errors.IllegalValue(field=UNIT, reason="unit")
        plain, sets = self._split_composite(
            {n: v for n, v in fields.items() if v is not None and not self._is_same(n, v, row.doc.get(n))}
        )
        if not plain and not sets:
            return None
        parts = composite_fields.expand_changes(
            self._kind, self._set_changes(row, sets), row, EntryAuthor(self._node.device, 0)
        )
        self._checks.check_values(self._kind, plain, row.doc, parts)
        left = stale_values.without_stale(self._node, self._tx, row, {**plain, **parts.registers})
        if not left:
            return None
        check_authority(self._kind, left, row.doc, self._role)
        check_changeable(self._tx, row)
        return save.draft_edit(self._node, row, self._kind, left)

    def _set_changes(self, row: Stored, sets: Mapping[str, list[str]]) -> Changes:
        """Return the members that a row adds and removes; with columns per member, only those."""
        put, drop = {}, {}
        for name, wanted in sets.items():
            put[name], gone = set_difference(row.doc.get(name) or (), wanted)
            # of papers a column states those of its kind and country
            drop[name] = [one for one in gone if {one, ":".join(one.split(":")[:2])} & {*self.split.get(name, gone)}]
        return Changes(put=put, drop=drop)

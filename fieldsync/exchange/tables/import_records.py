"""Records from a file, all or none: every row is judged, and one transaction takes them if all are good.

Columns are normalised one at a time, a batch of rows at once: the odd value is looked at alone. An empty cell says
nothing about its field; to take a value away is an edit.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.core.register import Value
from fieldsync.exchange.tables import column_mapping, stale_values, value_maps
from fieldsync.exchange.tables.cells import Memory, Normal, even, says, ticked, together, unquoted, without_headers
from fieldsync.exchange.tables.column_mapping import ID, UNIT, Column
from fieldsync.exchange.tables.header_detection import without_heads
from fieldsync.exchange.tables.normalisers import normaliser, with_state
from fieldsync.exchange.tables.plain_values import UNCOMPUTED
from fieldsync.exchange.tables.readers import Row, open_sheet
from fieldsync.exchange.tables.record_matching import Finder, check_stands
from fieldsync.exchange.tables.reimport import Known
from fieldsync.exchange.tables.rejects import MAX_FAULTS, Batch, Outcome, Words, headers_beside, rejected
from fieldsync.exchange.tables.repeat_sheets import Parents
from fieldsync.replica import commit_writer, record_units, save
from fieldsync.replica.changes import Draft
from fieldsync.replica.node import Node
from fieldsync.replica.references import References
from fieldsync.schema import validate, write_roles
from fieldsync.schema.equality import same
from fieldsync.schema.expressions import stored_expressions
from fieldsync.schema.expressions.functions import NOW
from fieldsync.schema.model import Field, Type
from fieldsync.schema.values import is_id
from fieldsync.store import Tx
from fieldsync.store.contract import Progress
from fieldsync.store.contract import Row as Stored

MAX_ROWS = 1_048_576


class Wish(NamedTuple):
    """How a file is to be taken: with `skip_bad` its good rows though others are bad; `values` say what words stand for."""

    skip_bad: bool = False
    values: Mapping[str, Mapping[str, str]] = MappingProxyType({})


_ALL_OR_NONE = Wish()


class _Undo(Exception):
    """No error: it takes the transaction back."""


def import_file(
    node: Node,
    path: Path,
    type: str,
    given: Mapping[str, str] | None = None,
    *,
    key: str | None = None,
    sheet: str | None = None,
    unit: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    words: Words | None = None,
    wish: Wish = _ALL_OR_NONE,
) -> dict[str, Any]:
    """Import a file's rows as records of a type and return the contract's `import`. BadFile, BadRows, UnitRefused.

    `given` maps columns to fields beyond what their names say, `key` is a field whose value names the record to change:
    both are remembered for the next file with this header. `words` says why a value is refused, in the file beside it.
    """
    kind = node.schema.type(type)
    given = given or {}
    with open_sheet(path, sheet) as table:
        outcome = Outcome(most=MAX_ROWS if wish.skip_bad else MAX_FAULTS)
        beside: errors.BadRows | None = None
        try:
            with node.store.write() as tx:
                importer = _Importer(
                    node,
                    tx,
                    kind,
                    path.name,
                    outcome,
                    given=given,
                    key=key,
                    unit=unit,
                    quoted=table.quoted,
                    faulty=table.faulty,
                    print=_print(path),
                    wish=wish,
                )
                for first, rows in without_heads(table, kind, given):
                    importer.tags = table.tags
                    importer.take(table.names, first, rows, dry=dry_run)
                    if progress is not None:
                        progress(*table.place(), "reading")
                importer.end(table.names)
                if outcome.faults:
                    beside = rejected(path, table.names, outcome, words)
                    if wish.skip_bad and beside.facts["rejected"] is None:  # nobody would know of the rows left out
                        raise errors.BadFile(file=path.name, reason="rejects_unwritten")  # noqa: TRY301 - it takes the transaction back
                if dry_run or (outcome.faults and not (wish.skip_bad and outcome.good)):
                    raise _Undo  # noqa: TRY301 - what the transaction ends by
        except _Undo:
            pass
        except errors.BadFile as refused:
            if refused.facts.get("reason") == "header_unlike" and table.others:
                refused.facts |= {"reason": "header_sheet", "sheet": table.sheet, "sheets": table.others}
            raise
        if outcome.faults or dry_run:
            with node.store.write() as tx:
                importer.remember(tx, table.names, keyed=False)
                importer.remember(tx, headers_beside(table.names))
        if beside is not None and not (wish.skip_bad and outcome.good):
            raise beside
    left = {} if beside is None else {"rejected_file": beside.facts["rejected"], "first": beside.facts["first"]}
    return left | {
        "added": outcome.added, "changed": outcome.changed, "unchanged": outcome.unchanged, "rejected": len(outcome.bad_rows),
        "file": str(path), "dry_run": dry_run, "columns": outcome.columns, "key": outcome.key,
        "encoding": table.encoding, "sheet": table.sheet, "other_sheets": table.others,
    }  # fmt: skip


class _Importer:
    """Takes batches of rows within one transaction."""

    def __init__(
        self,
        node: Node,
        tx: Tx,
        kind: Type,
        file: str,
        outcome: Outcome,
        *,
        given: Mapping[str, str],
        key: str | None,
        unit: str | None,
        quoted: bool,
        faulty: frozenset[str] | None,
        print: bytes,
        wish: Wish,
    ) -> None:
        if kind.retired:
            raise errors.RetiredType(type=kind.name)
        self._node, self._tx, self._kind, self._file, self._outcome = node, tx, kind, file, outcome
        self._given = given
        self._key = kind.field(key) if key is not None else None
        self._finder = Finder(node, tx, kind, self._key)
        self._wish = wish
        self._values_said = value_maps.joined(value_maps.remembered(tx, kind), wish.values)
        self.tags: Mapping[str, str] = {}  # columns by their hashtags
        self._parents = Parents(tx, kind, print)
        self._known: Known | None = None
        self._references = References(tx)
        self._split: dict[str, set[str]] = {}  # sets with a column for each member, and the members that have one
        self._unit = unit or (node.units[0] if node.units else "")
        self._today, self._moment = node.today(), node.moment()
        self._names: tuple[str, ...] = ()
        self._columns: list[Column] = []
        self._memory: dict[str, Memory] = {}
        self._worded = {f.name: normaliser(f, tx, node.schema) for f in kind.fields.values() if f.or_text}
        self._past = frozenset(one.name for one in kind.fields.values() if one.past)
        self._ruled = bool(write_roles.guarded(kind)) or any(one.rule or one.over for one in kind.fields.values())
        self._fresh = tx.count() == 0  # nothing to be found: then nothing is looked for
        self._quoted, self._faulty, self._print = quoted, faulty, print
        self._again = False  # whether this very file was imported before: what it says was said
        self._role = node.may_write(self._unit).role

    def end(self, headers: Sequence[str]) -> None:
        """Remember what was said of the columns, and that the file was taken; a header without rows is judged, too (BadFile)."""
        if not self._names:
            self._head(headers)
        self.remember(self._tx, self._names)
        self._parents.keep()
        self._tx.put(self._mark(), b"")

    def remember(self, tx: Tx, headers: Sequence[str], *, keyed: bool = True) -> None:
        """Remember what was said of the columns for files of this header; the key of a file that was refused may have been why."""
        key = self._key.name if self._key else None
        column_mapping.remember(
            tx,
            self._kind,
            headers,
            self._given,
            key if keyed else column_mapping.remembered(tx, self._kind, headers)[1],
        )
        value_maps.remember(tx, self._kind, {name: dict(one) for name, one in self._wish.values.items()})

    def _check_key(self) -> None:
        if self._key is not None and all(column.name != self._key.name for column in self._columns):
            raise errors.BadFile(file=self._file, reason="no_key", field=self._key.name)

    def _head(self, headers: Sequence[str]) -> None:
        """Make ready for these columns, in the order in which a commit carries fields."""
        self._names = tuple(headers)
        before, key = column_mapping.remembered(self._tx, self._kind, headers)
        if self._key is None and key is not None:
            self._key = self._kind.field(key)
            self._finder = Finder(self._node, self._tx, self._kind, self._key)
        self._given = before | dict(self._given)
        found = column_mapping.columns(self._file, headers, self._kind, {**self.tags, **self._given})
        self._parents.head(headers, {column.name for column in found})
        self._columns = sorted(found, key=lambda column: column.name)
        self._outcome.columns = {c.header: f"{c.name}/{c.member}" if c.member else c.name for c in found}
        self._outcome.key = self._key.name if self._key is not None else None
        for column in self._columns:
            if column.member and column.field is not None:
                self._split.setdefault(column.name, set()).add(column.member)
                self._memory[f"{column.name}/{column.member}"] = Memory(ticked(column.field, column.member))
            elif column.field is not None:
                self._memory.setdefault(column.name, Memory(self._normal(column.field)))
        self._check_key()
        self._again = self._tx.get(self._mark()) is not None

    def _normal(self, spec: Field) -> Normal:
        unknown = self._outcome.unknown.setdefault(spec.name, {})
        normal = normaliser(spec, self._tx, self._node.schema)
        return value_maps.mapped(spec, self._values_said.get(spec.name, {}), normal, unknown)

    def _mark(self) -> str:
        """What a file leaves behind that was taken, with its columns understood as they are now."""
        columns = repr((self._kind.name, self._unit, self._outcome.key, sorted(self._outcome.columns.items())))
        return f"taken/{hashlib.sha256(self._print + columns.encode('utf-8', 'replace')).hexdigest()[:24]}"

    def take(self, headers: Sequence[str], first: int, rows: list[Row], *, dry: bool) -> None:
        """Judge rows and, unless `dry`, save them."""
        if tuple(headers) != self._names:
            self._head(headers)
        rows, numbers = even(rows, first, len(self._names), self._outcome, pad=not self._quoted)
        rows, numbers = without_headers(rows, numbers, {c.at: column_mapping.once_of(c.header) for c in self._columns})
        if not rows:
            return
        cells: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if self._quoted:
            cells = [list(map(unquoted, column)) if "'" in "".join(column) else column for column in cells]
        batch = Batch(rows, numbers, self._outcome)
        fields, values = self._values(batch, cells)
        system = {column.name: cells[column.at] for column in self._columns if column.field is None}
        records = self._finder.records(batch, system, fields, values)
        if self._again:
            good = (i for i, record in enumerate(records) if not batch.is_bad(i) and (record or says(values, i)))
            self._outcome.unchanged += sum(1 for _ in good)
            return
        drafts = self._drafts(batch, fields, values, records)
        self._parents.note(cells, records)
        if drafts and not dry and (self._wish.skip_bad or not self._outcome.faults):
            commit_writer.commit_drafts(self._node, self._tx, drafts, known=self._stored)

    def _values(self, batch: Batch, cells: Sequence[Sequence[Any]]) -> tuple[list[str], list[list[Any]]]:
        """Return the fields that the file has and their stored values, by field; columns of one set's members make one."""
        plain = [column for column in self._columns if column.field is not None]
        made = [self._column(batch, column, cells[column.at]) for column in plain]
        names = [column.name for column in plain]
        owner = self._parents.owner
        if owner is not None:
            names.append(owner)
            made.append(
                [batch.tried(i, owner, self._parents.of, *row) for i, row in enumerate(self._parents.told(cells))]
            )
            order = sorted(range(len(names)), key=names.__getitem__)
            names, made = [names[at] for at in order], [made[at] for at in order]
        if not self._split and len(set(names)) == len(names):
            return names, made
        fields: dict[str, list[Any]] = {}
        columns = [*plain, *([Column(-1, owner, owner, self._kind.fields[owner])] if owner is not None else [])]
        for column, values in zip(sorted(columns, key=lambda one: one.name), made, strict=True):
            if not column.member:
                have = fields.get(column.name, values)
                fields[column.name] = values if have is values else list(map(together, have, values))
                continue
            sets = fields.setdefault(column.name, [None] * len(values))
            for i, there in enumerate(values):
                if there is not None:
                    sets[i] = sorted([*(sets[i] or ()), *([column.member] if there else ())])
        return list(fields), list(fields.values())

    def _column(self, batch: Batch, column: Column, cells: Sequence[Any]) -> list[Any]:
        """Return a column's stored values; a value that is refused is a fault, and nothing."""
        memory = self._memory[f"{column.name}/{column.member}" if column.member else column.name]
        if self._faulty is not None and not self._faulty.isdisjoint(cell for cell in cells if type(cell) is str):
            for i, cell in enumerate(cells):
                if cell in self._faulty:
                    batch.fault(i, column.name, {"reason": "uncomputed" if cell == UNCOMPUTED else "cell_fault"})
            cells = [None if cell in self._faulty else cell for cell in cells]
        try:
            values = memory.all(cells)
        except (errors.BadInput, errors.NotFound):
            normal = memory.normal
            values = [batch.tried(i, column.name, normal, cell) for i, cell in enumerate(cells)]
        if column.name in self._past:
            for i, value in enumerate(values):
                if value is not None and value > self._today[: len(value)]:
                    batch.fault(i, column.name, {"reason": "future", "today": self._today})
        return values

    # --- what to write ---

    def _drafts(
        self, batch: Batch, fields: list[str], values: list[list[Any]], records: list[bytes | None]
    ) -> list[Draft]:
        """Return a draft for each row that brings something new; rows that are refused get none."""
        stored = {} if self._fresh else self._tx.rows(record for record in records if record is not None)
        self._stored = stored
        new = [
            i
            for i, record in enumerate(records)
            if record not in stored
            and not batch.is_bad(i)
            # a row that only has its number in the list, or a total, is nobody
            and (record is not None or says(values, i))
        ]
        if not self._fresh and self._key is None and any(records[i] is None for i in new):
            new = self._not_known(fields, values, records, new)
        drafts = self._new_drafts(batch, fields, values, records, new)
        if stored:
            table = list(zip(*values, strict=True)) if values else [()] * len(records)
            for i, record in enumerate(records):
                row = stored.get(record) if record is not None else None
                if row is not None and not batch.is_bad(i):
                    draft = batch.tried(
                        i, "", self._changed, row, dict(zip(fields, table[i], strict=True)), batch.unit(i)
                    )
                    if draft is not None:
                        drafts.append(draft)
                        self._outcome.changed += 1
                    elif not batch.is_bad(i):
                        self._outcome.unchanged += 1
        return drafts

    def _not_known(
        self, fields: list[str], values: list[list[Any]], records: list[bytes | None], new: list[int]
    ) -> list[int]:
        """Return the rows that were not imported before; those without an id that were count as unchanged."""
        if self._known is None:
            self._known = Known(self._node, self._tx, self._kind.name)
        initial = self._kind.lifecycle.initial if self._kind.lifecycle and "state" in self._kind.fields else None
        left = []
        for i in new:
            said = {n: column[i] for n, column in zip(fields, values, strict=True) if column[i] not in (None, [])}
            if initial is not None:
                said.setdefault("state", initial)
            if records[i] is None and self._known.take(said):
                self._outcome.unchanged += 1
            else:
                left.append(i)
        return left

    def _new_drafts(
        self, batch: Batch, fields: list[str], values: list[list[Any]], records: list[bytes | None], new: list[int]
    ) -> list[Draft]:
        """Return the drafts of new records, each with its fields in a commit's order; `values` are by column."""
        if not new:
            return []
        kind = self._kind
        named, columns = list(fields), values
        if len(new) < len(records):
            columns = [[column[i] for i in new] for column in values]
        if kind.lifecycle is not None and "state" in kind.fields:
            named, columns = with_state(named, columns, kind.lifecycle.initial, len(new))
        plain = batch.units is None and kind.belongs_to not in fields
        units = [self._unit] * len(new) if plain else [self._home(batch, i, fields, values) for i in new]
        refs = [at for at, name in enumerate(named) if kind.fields[name].to]
        for i, row in zip(new, zip(*columns, strict=True), strict=True) if refs else ():
            batch.tried(i, "", self._references.check, kind, {named[at]: row[at] for at in refs})
        if self._ruled or "state" in fields:
            for i, row in zip(new, zip(*columns, strict=True), strict=True):
                batch.tried(i, "", self._check_new, {n: v for n, v in zip(named, row, strict=True) if v is not None})
        good = [at for at, i in enumerate(new) if not batch.is_bad(i)]
        if len(good) < len(new):  # no code is kept for a row that is left out
            new, units = [new[at] for at in good], [units[at] for at in good]
            columns = [[column[at] for at in good] for column in columns]
        if not new:
            return []
        self._outcome.added += len(new)
        head = ["_code", "_unit", *named]
        blank = [n for n, column in zip(named, columns, strict=True) if None in column or n in self._split]
        drafts = []
        for i, row in zip(new, zip(self._codes(units), units, *columns, strict=True), strict=True):
            filled = dict(zip(head, row, strict=True))
            for name in blank:
                if filled[name] in (None, []):
                    del filled[name]
            records[i] = records[i] or self._node.new_id()
            drafts.append(Draft(records[i], kind.name, kind.version, filled, {}))  # type: ignore[arg-type]  # it has one now
        return drafts

    def _codes(self, units: list[str]) -> list[str]:
        if len(set(units)) == 1:
            return commit_writer.next_code(self._node, self._tx, units[0], count=len(units))
        return [commit_writer.next_code(self._node, self._tx, unit)[0] for unit in units]

    def _home(self, batch: Batch, i: int, fields: list[str], values: list[list[Any]]) -> str:
        """The unit of a new row: as given, else its owner's, else the person's own."""
        given = batch.unit(i)
        if given:
            return given
        owner = self._kind.belongs_to
        if owner in fields:
            value = values[fields.index(owner)][i]
            unit = (
                record_units.home_of(self._node, self._tx, uuid.UUID(value).bytes) if value and is_id(value) else None
            )
            if unit is not None:
                if not self._finder.allowed(unit):
                    batch.fault(i, owner, {"reason": "unit"})
                return unit
        return self._unit

    def _check_new(self, fields: dict[str, Any]) -> None:
        plain, sets = self._parted(fields)
        write_roles.check(
            self._kind, validate.check(self._kind, plain, {**sets, NOW: self._moment}, self._today), {}, self._role
        )
        stored_expressions.check(self._node.schema, self._kind, plain)

    def _parted(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        sets = {n: v for n, v in fields.items() if self._kind.fields[n].kind == "set"}
        return {n: v for n, v in fields.items() if n not in sets}, sets

    def _is_same(self, name: str, given: object, stored: object) -> bool:
        """Say whether a field has a value already; words for a record say the same as its id."""
        worded = self._worded.get(name)
        field = self._kind.fields[name]
        return same(field, given, stored) or (worded is not None and same(field, given, worded(stored)))

    def _changed(self, row: Stored, fields: dict[str, Any], unit: str) -> Draft | None:
        """Return the draft of what a row changes in a record that is here; None when that is nothing."""
        if row.state.type != self._kind.name:
            raise errors.IllegalValue(field=ID, reason="other_type")
        here = record_units.units_of(self._tx, row)
        if (unit and unit not in here) or not any(map(self._finder.allowed, here)):
            raise errors.IllegalValue(field=UNIT, reason="unit")
        plain, sets = self._parted(
            {n: v for n, v in fields.items() if v is not None and not self._is_same(n, v, row.doc.get(n))}
        )
        self._references.check(self._kind, fields, row.doc)
        changes: dict[str, Value] = {}
        if plain:
            checked = validate.check(self._kind, plain, {**row.doc, NOW: self._moment}, self._today)
            write_roles.check(self._kind, checked, row.doc, self._role)
            stored_expressions.check(self._node.schema, self._kind, checked)
            changes |= {n: v for n, v in checked.items() if not same(self._kind.fields[n], v, row.doc.get(n))}  # type: ignore[misc]  # JSON values
        for name, wanted in sets.items():
            now = set(row.doc.get(name) or ())
            changes |= dict.fromkeys((f"{name}/{m}" for m in set(wanted) - now), True)
            gone = (now - set(wanted)) & self._split.get(name, now)
            changes |= dict.fromkeys((f"{name}/{m}" for m in gone), False)
        changes = stale_values.without_stale(self._node, self._tx, row, changes) if changes else changes
        if changes:
            check_stands(self._tx, row)
        return save.draft_edit(self._node, row, self._kind, changes) if changes else None


def _print(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()

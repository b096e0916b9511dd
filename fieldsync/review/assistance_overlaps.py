"""Overlaps: two records of a household that the forms define as possible duplicates, such as the same aid twice in one month.

Open pairs are not stored: nodes with the same records find the same pairs. "Both are right" is `_not_same/ID`
on both of them, as with records that are not one person; a record given twice is cancelled or removed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync.core import record_ids, stamp
from fieldsync.core.grants import Grant, covering_grant
from fieldsync.core.register import Value
from fieldsync.core.state import newest_write
from fieldsync.core.units import home_unit
from fieldsync.linkage.similarity import name_parts
from fieldsync.replica import commit_writer, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import unit_of
from fieldsync.review import duplicate_pairs
from fieldsync.review.asked_questions import settle_pairs_of
from fieldsync.review.renewed_pairs import NOT_SAME
from fieldsync.schema.expressions import parser
from fieldsync.schema.model import OverlapRule, Type
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, Row

CANCELLED = "cancelled"
_FEW = 200  # households that are read one by one; of more, all are read


class _OverlapSide(NamedTuple):
    """A record that may be a double: its id, its household, its document."""

    id: str
    home: str
    doc: Mapping[str, Any]


class OverlapSide(Struct, frozen=True):
    """One of two records that may be the same assistance: author, time and fields."""

    record: str
    code: str | None
    by: str | None
    at: str
    fields: Document


class Overlap(Struct, frozen=True):
    """Two records that may be the same assistance.

    rule: the overlap rule, by its name in the form.
    a: the earlier one.
    household: its id.
    household_code: its code.
    values: the fields in which they agree.
    """

    rule: str
    type: str
    a: OverlapSide
    b: OverlapSide
    household: str
    household_code: str | None
    values: Document
    unit: str


class KnownOverlap(Struct, frozen=True):
    """A record that overlaps with another one, and the rule."""

    record: str
    code: str | None
    rule: str
    by: str | None
    at: str


class RecordOverlap(NamedTuple):
    """A record that overlaps with the given one, and the rule."""

    rule: str
    side: OverlapSide

    def without_fields(self) -> KnownOverlap:
        """Return it without the other record's fields."""
        return KnownOverlap(self.side.record, self.side.code, self.rule, self.side.by, self.side.at)


class _OverlapSearch:
    """Finds the pairs of one type; looks up what references name once."""

    def __init__(self, node: Node, tx: ReadTx, kind: Type) -> None:
        self._tx = tx
        self.kind = kind
        self._today = node.today()
        self._named: dict[tuple[str, str], frozenset[str]] = {}
        self._unless = {
            name: parser.compile_expression(rule.unless) for name, rule in kind.doubles.items() if rule.unless
        }

    def open_pairs(self) -> list[tuple[str, _OverlapSide, _OverlapSide]]:
        """Return the pairs of all households; read are those in which two records agree at all."""
        homes: set[bytes] = set()
        stands = {record_ids.from_text(one): record_ids.from_text(root) for one, root in self._tx.merge_targets.items()}
        for rule in self.kind.doubles.values():
            by_home: dict[bytes, list[tuple[bytes, tuple[Any, ...]]]] = defaultdict(list)
            for home, values in self._tx.values_by_household(self.kind.name, rule.same):
                by_home[stands.get(home, home)].append((home, values))
            for several in by_home.values():
                together: dict[tuple[object, ...], list[bytes]] = defaultdict(list)
                for home, values in several if len(several) > 1 else ():
                    together[tuple(map(self._folded, values))].append(home)
                homes.update(home for group in together.values() if len(group) > 1 for home in group)
        if not homes:
            return []
        return list(
            self.pairs_among(
                self.sides_of(self._tx.at_home(self.kind.name, sorted(homes) if len(homes) < _FEW else None))
            )
        )

    def sides_of(self, found: Iterable[tuple[bytes, bytes, Mapping[str, Any]]]) -> list[_OverlapSide]:
        """Return records with their households, merged ones replaced by the surviving one."""
        roots = self._tx.merge_targets
        made = []
        for record, home, doc in found:
            one, where = record_ids.id_text(record), record_ids.id_text(home)
            if one not in roots or roots[one] == one:  # of two that are one, one counts
                made.append(_OverlapSide(one, roots.get(where, where), doc))
        return made

    def pairs_among(self, ones: Iterable[_OverlapSide]) -> Iterator[tuple[str, _OverlapSide, _OverlapSide]]:
        """Yield (rule, a record, another one) for each pair that nobody has called right."""
        everyone = list(ones)
        for name, rule in self.kind.doubles.items():
            together: dict[tuple[object, ...], list[_OverlapSide]] = defaultdict(list)
            for one in everyone:
                if name in self._unless and self._unless[name].holds_for(one.doc, self._today):
                    continue
                same = [self._value(one.doc, field) for field in rule.same]
                if None not in same:
                    together[(one.home, *same)].append(one)
            for group in together.values():
                for a, b in combinations(group, 2):
                    if not _are_set_apart(a, b) and (not rule.against or self._breaks_rule(rule, a, b)):
                        yield name, a, b

    def _value(self, doc: Mapping[str, Any], field: str) -> object:
        return self._folded(doc.get(field))

    def _folded(self, value: object) -> object:
        if isinstance(value, str):
            return self._tx.merge_targets.get(value, value) if is_id(value) else name_parts(value) or value
        return value

    def _breaks_rule(self, rule: OverlapRule, a: _OverlapSide, b: _OverlapSide) -> bool:
        field, _, beyond = rule.against.partition(".")
        mine, its = (self._value(one.doc, field) for one in (a, b))
        return its in self._names(mine, beyond) or mine in self._names(its, beyond)

    def _names(self, record: object, field: str) -> frozenset[str]:
        if not isinstance(record, str) or not is_id(record):
            return frozenset()
        if (record, field) not in self._named:
            row = self._tx.rows([record_ids.from_text(record)]).get(record_ids.from_text(record))
            named = row.doc.get(field, ()) if row is not None else ()
            self._named[record, field] = frozenset(self._tx.merge_targets.get(one, one) for one in named)
        return self._named[record, field]


def _are_set_apart(a: _OverlapSide, b: _OverlapSide) -> bool:
    return b.id in a.doc.get(NOT_SAME, ()) or a.id in b.doc.get(NOT_SAME, ())


def list_overlaps(node: Node, *, unit: str | None = None, type: str | None = None) -> list[Overlap]:
    """Return the open pairs that this node can see both sides of."""
    found: list[Overlap] = []
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        for kind in node.schema.types.values():
            if not kind.doubles or type not in (None, kind.name):
                continue
            pairs = _OverlapSearch(node, tx, kind).open_pairs()
            wanted = {record_ids.from_text(one) for _, a, b in pairs for one in (a.id, b.id, a.home)}
            rows = {record_ids.id_text(record): row for record, row in tx.rows(wanted).items()}
            for rule, a, b in pairs:
                place = units.get(rows[a.id].channel or 0, "")
                if unit is None or covering_grant((Grant(unit, ""),), place):
                    found.append(_overlap_json(node, kind, rule, rows, (a, b), place))
    return sorted(found, key=lambda one: (one.unit, one.household_code or "", one.a.at))


def count_overlaps(node: Node, grants: tuple[Grant, ...]) -> int:
    """Return how many pairs are open in the units of these grants, without telling of them."""
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        kinds = [kind for kind in node.schema.types.values() if kind.doubles]
        ones = [record_ids.from_text(a.id) for kind in kinds for _, a, _ in _OverlapSearch(node, tx, kind).open_pairs()]
        places = tx.channels_of(set(ones))
        return sum(covering_grant(grants, units.get(places.get(one, 0), "")) is not None for one in ones)


def _overlap_json(
    node: Node, kind: Type, rule: str, rows: Mapping[str, Row], pair: tuple[_OverlapSide, _OverlapSide], unit: str
) -> Overlap:
    first, second = sorted(
        (_side_json(node, rows[one.id]) for one in pair), key=lambda side: (side.at, side.code or "")
    )
    one = pair[0]
    home = rows.get(one.home)
    return Overlap(
        rule, kind.name, first, second,
        household=one.home,
        household_code=None if home is None else home.code,
        values={name: one.doc[name] for name in kind.doubles[rule].same},
        unit=unit,
    )  # fmt: skip


def _side_json(node: Node, row: Row) -> OverlapSide:
    made = row.state.base or newest_write(row.state)
    kind = node.schema.types[row.state.type]
    fields = {name: value for name, value in row.doc.items() if name in kind.fields}
    return OverlapSide(
        record_ids.id_text(row.state.record), row.code,
        by=None if made is None else made.author,
        at="" if made is None else stamp.stamp_text(made.stamp),
        fields=fields,
    )  # fmt: skip


def overlaps_of(node: Node, ref: str) -> list[RecordOverlap]:
    """Return a record's overlaps, as far as known here."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        kind = node.schema.types.get(row.state.type)
        if kind is None or not kind.doubles or row.owner is None:
            return []
        owner = tx.row(row.owner)
        home = record_ids.id_text(row.owner if owner is None or owner.owner is None else owner.owner)
        stays = tx.merge_targets.get(home, home)
        homes = {home, stays, *(gave for gave, kept in tx.merge_targets.items() if kept == stays)}
        finder = _OverlapSearch(node, tx, kind)
        mine = record_ids.id_text(row.state.record)
        ones = finder.sides_of(tx.at_home(kind.name, [record_ids.from_text(one) for one in sorted(homes)]))
        hits = [(rule, b if a.id == mine else a) for rule, a, b in finder.pairs_among(ones) if mine in (a.id, b.id)]
        rows = {
            record_ids.id_text(record): found
            for record, found in tx.rows(record_ids.from_text(one.id) for _, one in hits).items()
        }
        return [RecordOverlap(rule, _side_json(node, rows[one.id])) for rule, one in hits]


def keep_both(node: Node, a: str, b: str, *, note: str | None = None) -> None:
    """Mark both records of an overlap as correct, so that it is not offered again. RoleRefused, UnitRefused, TwoTypes."""
    duplicate_pairs.mark_distinct(node, a, b, note=note)


def cancel_record(node: Node, ref: str, reason: str) -> bytes:
    """Cancel the one of two that is a double, with the reason; it is removed where its form knows no such step. RoleRefused."""
    with node.store.write() as tx:
        row = find_row(tx, ref)
        node.may_decide(unit_of(tx, row))
        lifecycle, now = node.schema.type(row.state.type).lifecycle, row.doc.get("state")
        if lifecycle is not None and isinstance(now, str) and CANCELLED in lifecycle.next_states(now):
            draft = save.draft_change(node, tx, row, Changes(set={"state": CANCELLED}), note=reason)
        else:
            draft = save.draft_removal(node, tx, row, reason)
        asked = settle_pairs_of(node, tx, row.state.record)
        commit_writer.commit_drafts(node, tx, [*([draft] if draft is not None else []), *asked])
    return row.state.record


def restore_record(node: Node, ref: str, before: str | None, *, note: str | None = None) -> None:
    """Take it back that a record was the one too many: it is there again, in the state that it was in. RoleRefused."""
    with node.store.write() as tx:
        row = find_row(tx, ref)
        node.may_decide(unit_of(tx, row))
        fields: dict[str, Value] = {"_deleted": None} if "_deleted" in row.doc else {"state": before}
        kind = node.schema.type(row.state.type)
        commit_writer.commit_drafts(node, tx, [save.draft_edit(node, row, kind, fields, note=note, decides=True)])

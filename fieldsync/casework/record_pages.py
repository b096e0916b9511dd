"""The page of a household or a case: the record with its related records, in sections.

`PAGES` is the layout by record type; the rest of the module is generic.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from fieldsync.core import record_ids
from fieldsync.replica.lookup import RelatedRecords, find_row, rows_below
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, Row

MEMBERS, CONFLICTS = "members", "conflicts"
ABOUT = "@about"  # in a layout: whom the record is about


class Membership(Struct, frozen=True):
    """The membership type, its field for the person, and its date of leaving."""

    type: str
    person: str
    until: str


class SectionLayout(Struct, frozen=True):
    """A section: its name, and its columns by record type. It is sorted by the first column, newest first.

    A column is a field, or several with spaces between.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]


class PageLayout(Struct, frozen=True):
    """The layout of a page."""

    sections: tuple[SectionLayout, ...]
    members: Membership | None = None


_ASSESSMENTS = SectionLayout("assessments", {"assessment": ("done_on", "kind", "risk", "done_by")})
_REFERRALS = SectionLayout("referrals", {"referral": ("sent_on", "kind", "state", "to_org", ABOUT)})
_QUESTIONS = SectionLayout("questions", {"question": ("asked_on", "question", "asked_of", "answer")})
_VISITS = SectionLayout("visits", {"follow_up": ("due_on", "kind", "state", "worker", ABOUT)})

PAGES: Mapping[str, PageLayout] = MappingProxyType(
    {
        "household": PageLayout(
            members=Membership("membership", "person", "to_date"),
            sections=(
                SectionLayout("cases", {"case": ("opened_on", "case_type", "state", "worker", ABOUT)}),
                SectionLayout(
                    "aid",
                    {
                        "benefit": ("period", "kind", "state", "amount amount_currency quantity quantity_unit", ABOUT),
                        "service": ("given_on", "service_type", "outcome", "provider", ABOUT),
                    },
                ),
                _VISITS,
                SectionLayout("assessments", {"assessment": ("done_on", "kind", "risk", "done_by", ABOUT)}),
                _REFERRALS,
                SectionLayout("events", {"household_event": ("event_date", "kind", "state", "person")}),
                _QUESTIONS,
            ),
        ),
        "case": PageLayout(
            sections=(
                SectionLayout("plan", {"plan": ("starts_on", "goal", "state", "review_on")}),
                SectionLayout("steps", {"plan_item": ("due_on", "action", "status progress", "responsible")}),
                SectionLayout("visits", {"follow_up": ("due_on", "kind", "state", "worker")}),
                _ASSESSMENTS,
                SectionLayout("aid", {"service": ("given_on", "service_type", "outcome", "provider")}),
                SectionLayout("referrals", {"referral": ("sent_on", "kind", "state", "to_org")}),
                _QUESTIONS,
            ),
        ),
    }
)


class PageRecord(Record, frozen=True):
    """A related record.

    about: the name of the person or family that it is about.
    membership: of a member: the fields of the membership record.
    """

    about: str | UnsetType = UNSET
    membership: Document | UnsetType = UNSET


class PageSection(Struct, frozen=True):
    """A section of a page; one without records is left out.

    section: members, cases, aid, visits, assessments, referrals, events, questions, plan, steps or conflicts.
    records: the newest first, former members last. In `conflicts`: those with an open conflict, which are also in their own section.
    """

    section: str
    records: list[PageRecord]


class ShownRecord(Record, frozen=True):
    """A record with its related records.

    sections: of a household or a case: its related records.
    """

    sections: list[PageSection] | UnsetType = UNSET


def show_record(node: Node, ref: str, *, all_heads: bool = False) -> ShownRecord:
    """Return a record with the sections of its page, where its type has one. NoRecord, Ambiguous."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        found = RecordShaper(node, tx).record(row, all_heads=all_heads)
        layout = PAGES.get(row.state.type)
        sections = None if layout is None else list(_Page(node, tx, row, layout).sections())
        return ShownRecord(**asdict(found), sections=UNSET if sections is None else sections)


class _Page:
    """One record's related records: those it owns at any depth, and those that refer to one of these."""

    def __init__(self, node: Node, tx: ReadTx, row: Row, layout: PageLayout) -> None:
        self._node, self._tx, self._layout = node, tx, layout
        self._shaper, self._related = RecordShaper(node, tx), RelatedRecords(node, tx)
        self._me = row.state.record
        below = rows_below(tx, [self._me])
        if layout.members is None and row.owner is not None:
            below |= self._beside(rows_below(tx, [row.owner]), {self._me, *below})
        merged = [record for record in below if tx.is_merged(record)]
        self._rows = [row for record, row in below.items() if record not in merged and "_deleted" not in row.doc]

    def sections(self) -> Iterator[PageSection]:
        """Yield the sections that have records, in the layout's order."""
        shown: list[PageRecord] = []
        members = self._members()
        if members:
            shown += members
            yield PageSection(MEMBERS, members)
        for layout in self._layout.sections:
            records = self._in_section(layout)
            if records:
                shown += records
                yield PageSection(layout.name, records)
        open_ = [one for one in shown if one.conflicts]
        if open_:
            yield PageSection(CONFLICTS, open_)

    def _beside(self, others: Mapping[bytes, Row], mine: set[bytes]) -> dict[bytes, Row]:
        """Records that refer to one of these: a referral in a case, a service as a step of its plan."""
        names = {record_ids.id_text(record) for record in mine}
        return {
            record: row
            for record, row in others.items()
            if record not in mine and any(isinstance(value, str) and value in names for value in row.doc.values())
        }

    def _members(self) -> list[PageRecord]:
        """Everybody whom a membership names, or who belongs to the record and has none; those who left last."""
        tie = self._layout.members
        if tie is None:
            return []
        ties: dict[str, Document] = {}
        for row in self._rows:
            if row.state.type == tie.type and isinstance(row.doc.get(tie.person), str):
                person = self._tx.merge_targets.get(row.doc[tie.person], row.doc[tie.person])
                known = ties.get(person)
                if known is None or known.get(tie.until):  # a member who came back counts as present
                    ties[person] = {name: value for name, value in row.doc.items() if not name.startswith("_")}
        kind = self._node.schema.types.get(tie.type)
        types = kind.fields[tie.person].to if kind is not None else ()
        people = {record_ids.id_text(row.state.record): row for row in self._rows if row.state.type in types}
        elsewhere = self._tx.rows(record_ids.from_text(person) for person in ties if person not in people)
        people |= {record_ids.id_text(record): row for record, row in elsewhere.items() if "_deleted" not in row.doc}
        found = [
            PageRecord(**asdict(self._shaper.record(row)), membership=ties.get(person, UNSET))
            for person, row in people.items()
        ]
        head = {self._shaper.record(self._own_row()).fields.get(name) for name in self._head_fields(types)}
        return sorted(found, key=lambda one: (_has_left(one, tie), one.id not in head, _birth(one), one.id))

    def _own_row(self) -> Row:
        return self._tx.rows([self._me])[self._me]

    def _head_fields(self, types: Iterable[str]) -> list[str]:
        kind = self._node.schema.types.get(self._own_row().state.type)
        return [] if kind is None else [field.name for field in kind.fields.values() if set(field.to) & set(types)]

    def _in_section(self, layout: SectionLayout) -> list[PageRecord]:
        rows = [row for row in self._rows if row.state.type in layout.columns]
        self._related.fetch_records(row.owner for row in rows if row.owner is not None)
        found = []
        for row in rows:
            subject = self._related.subject_of(row)
            is_mine = subject is None or subject.state.record == self._me
            about = UNSET if subject is None or is_mine else self._related.title_of(subject) or UNSET
            found.append(PageRecord(**asdict(self._shaper.record(row)), about=about))
        return sorted(found, key=lambda one: (_day(layout, one), one.id), reverse=True)


def _day(layout: SectionLayout, one: PageRecord) -> str:
    return str(one.fields.get(layout.columns[one.type][0], ""))


def _has_left(one: PageRecord, tie: Membership) -> bool:
    return isinstance(one.membership, dict) and bool(one.membership.get(tie.until))


def _birth(one: PageRecord) -> str:
    return str(one.fields.get("birth_date", "9999"))

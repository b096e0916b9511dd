"""Finding a record by its id, its code or a unique prefix of either, or by words; and names of referenced records."""

import re
from collections.abc import Iterable, Iterator

from fieldsync import errors
from fieldsync.core import codes, names, record_ids
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Schema
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx
from fieldsync.store.contract import Progress, RecordQuery, Row

SHORTEST = 4
_PART = 5_000  # records whose words are indexed in one transaction
_NAMES = {"text", "note", "ref", "phone"}  # types of fields that name something
_HEX = re.compile(r"[0-9a-f]+")
_CODED = re.compile(r".*\(([^()\s]+)\)", re.DOTALL)  # a name with its code: هدى الحسن (JBL-B-2-RG)
_ID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def find_row(tx: ReadTx, ref: str) -> Row:
    """Return the record of that name; NoRecord, Ambiguous."""
    record = find_id(tx, ref)
    return tx.rows([record])[record]


def find_id(tx: ReadTx, ref: str) -> bytes:
    """Return the id of the record of that name; NoRecord, Ambiguous."""
    wanted = ref.strip()
    if len(wanted) < SHORTEST:
        raise errors.NoRecord(ref=ref, shortest=SHORTEST)
    digits = wanted.lower().replace("-", "")
    low = high = b"\xff"  # no id at all
    if _HEX.fullmatch(digits) and len(digits) <= 32:
        low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    found = tx.ids_like(low, high, codes.normalise_code(wanted))
    if not found:
        raise errors.NoRecord(ref=ref)
    if len(found) > 1:
        # JBL-B-5 is that record's code without its check characters, and not the beginning of JBL-B-54
        exact = tx.ids_like(b"\xff", b"\xff", codes.normalise_code(wanted) + "-")
        if len(exact) != 1:
            raise errors.Ambiguous(ref=ref, codes=[row.code for row in tx.rows(found).values()])
        return exact[0]
    return found[0]


def find_quarantined(tx: ReadTx, ref: str) -> bytes | None:
    """Return the id of a record that only quarantined commits are about, by its id, or a beginning of it, or its whole code."""
    digits = ref.strip().lower().replace("-", "")
    low = high = b"\xff"
    if _HEX.fullmatch(digits) and SHORTEST <= len(digits) <= 32:
        low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    code = codes.normalise_code(ref) if codes.parse_code(ref) is not None else ""
    found = tx.quarantined_records(low, high, code)
    return found[0] if len(found) == 1 else None


def resolve_reference(tx: ReadTx, schema: Schema, field: Field, value: object) -> object:
    """Return the record id for a reference's words; an id or an empty value is unchanged. NoRecord, Ambiguous.

    Where the field takes words too, they stay words unless they are a whole code, or the name of the one record of those
    that everybody has at hand (a place, an organisation) or whose names are open to all (an institution, an event).
    """
    if field.type != "ref" or not isinstance(value, str) or not value.strip() or _ID.fullmatch(value.strip()):
        return value
    coded = _CODED.fullmatch(value.strip())
    if coded is not None and codes.parse_code(coded[1]) is not None:
        value = coded[1]
    if not field.or_text or codes.parse_code(value) is not None:
        return record_ids.id_text(find_id(tx, value))
    known = (schema.types[name] for name in field.to if name in schema.types)
    titled = [kind for kind in known if kind.title]
    lists = [(k.name, k.title[0]) for k in titled if k.below or k.fields[k.title[0]].sensitivity == 0]
    rows = [
        row
        for name, title in lists
        for row in tx.select_rows(RecordQuery(type=name, equal={title: value.strip()}, deleted=False, limit=2))
    ]
    return record_ids.id_text(rows[0].state.record) if len(rows) == 1 else value


def rows_below(tx: ReadTx, roots: Iterable[bytes], most: int | None = None) -> dict[bytes, Row]:
    """Return all that these own, directly or not, and what records merged into one of them own; oldest first.

    `most`: nothing where it would be more than so many, for whoever wants to choose among them.
    """
    found: dict[bytes, Row] = {}
    given = owners = set(roots)
    while owners:
        stands = {record_ids.id_text(owner) for owner in owners}
        owners = owners | {record_ids.from_text(gave) for gave, stays in tx.merge_targets.items() if stays in stands}
        new = [record for record in tx.ids_owned_by(owners) if record not in found]
        if most is not None and len(found) + len(new) > most:
            return {}
        found |= tx.rows(new)
        owners = set(new)
    return {record: row for record, row in sorted(found.items()) if record not in given}


class RelatedRecords:
    """Looks up, many at once, the records that others name: their owners, and whose work they are."""

    def __init__(self, node: Node, tx: ReadTx) -> None:
        self._node = node
        self._tx = tx
        self._rows: dict[bytes, Row | None] = {}

    def fetch_records(self, records: Iterable[bytes]) -> None:
        """Have these at hand."""
        wanted = [record for record in dict.fromkeys(records) if record not in self._rows]
        if wanted:
            self._rows |= dict.fromkeys(wanted) | self._tx.rows(wanted)

    def find_row(self, record: bytes) -> Row | None:
        """Return a record, if it is here."""
        self.fetch_records([record])
        return self._rows[record]

    def row_of_reference(self, value: object) -> Row | None:
        """Return the record that a reference names, if it is here."""
        return self.find_row(record_ids.from_text(value)) if isinstance(value, str) and is_id(value) else None

    def title_of(self, row: Row) -> str:
        """Return a record's title from its title fields and referenced records; a date only without a name."""
        kind = self._node.schema.types.get(row.state.type)
        fields = [kind.fields[name] for name in kind.title if name in row.doc] if kind else []
        for named in (_NAMES, {"date"}):
            parts = [
                self._name_of_reference(row.doc[field.name])
                for field in fields
                if field.type in named and field.kind == "plain"
            ]
            if any(parts):
                return " ".join(part for part in parts if part)
        return ""

    def name_of(self, row: Row) -> str:
        """Return by what name a record is known: its own, or that of the person or family with whom it is done."""
        kind = self._node.schema.types.get(row.state.type)
        named = kind is not None and any(
            kind.fields[name].type in _NAMES and row.doc.get(name) for name in kind.title if name in kind.fields
        )
        subject = self.subject_of(row) if kind is not None and (kind.due or not named) else None
        return (self.title_of(subject) if subject is not None else "") or self.title_of(row)

    def _name_of_reference(self, value: object) -> str:
        text = str(value)
        named = self.row_of_reference(text)
        return self.title_of(named) if named is not None else "" if is_id(text) else text

    def worker_name(self, value: object) -> str | None:
        """Return a worker's name: from the record, or the words in its place."""
        row = self.row_of_reference(value)
        if row is not None:
            return self.title_of(row)
        return value if isinstance(value, str) else None

    def subject_of(self, row: Row) -> Row | None:
        """Return the record's subject: its nearest owner without due rules, a person or a household."""
        while row.owner is not None:
            owner = self.find_row(row.owner)
            if owner is None:
                return None
            kind = self._node.schema.types.get(owner.state.type)
            if kind is not None and not kind.due:
                return owner
            row = owner
        return None


# --- full text: on a laptop an index, which catches up when somebody searches; a server reads through ---


def index_words(node: Node, *, progress: Progress | None = None) -> None:
    """Index records changed since the last search, in parts: `progress(done, total, "search")`."""
    if not node.is_laptop:
        return
    with node.store.read() as tx:
        total = tx.count_unindexed()
    for done in range(0, total, _PART):
        if progress is not None:
            progress(done, total, "search")
        with node.store.write(durable=False) as tx:
            tx.index_full_text(lambda type_, doc: node.rules.type_rules(type_).search_words(doc), _PART)


def found_rows(node: Node, tx: ReadTx, text: str, *, limit: int, type: str | None = None) -> list[Row]:
    """Return the rows (of one type, if given) that match a text; limit 0 means all. Removed records are left out."""
    found = (
        tx.search_rows(text, limit or -1, type)
        if node.is_laptop and names.query_terms(text)
        else _scan(node, tx, text, limit, type)
    )
    return [row for row in found if "_deleted" not in row.doc]


def _scan(node: Node, tx: ReadTx, text: str, limit: int, type: str | None) -> Iterator[Row]:
    """A server keeps no full-text index: it reads."""
    wanted = names.query_terms(text) or [names.search_terms(word) for word in text.split()]
    found = 0
    for row in tx.select_rows(RecordQuery(type=type)) if wanted else ():
        words = set(node.rules.type_rules(row.state.type).search_words(row.doc).split())
        if all(names.terms_match(words, terms) for terms in wanted):
            yield row
            found += 1
            if found == limit:
                return

"""One record for display: its card, its fields' labels, its history."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from fieldsync import errors
from fieldsync.casework import partner_sharing
from fieldsync.core import record_ids
from fieldsync.core.grants import PARTNER
from fieldsync.core.merges import NOT_SAME
from fieldsync.replica import queries
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.review.asked_questions import QUESTION
from fieldsync.schema import label_placeholders, validate
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field, Type
from fieldsync.ui.terminal import bidi, messages
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.terminal.output import Terminal

if TYPE_CHECKING:
    from fieldsync.replica.history import ChangedValue, SavedChange
    from fieldsync.replica.receipts import CommitReceipt
    from fieldsync.review.asked_questions import AskedQuestion
    from fieldsync.review.duplicate_pairs import SimilarRecord

_SPANS = (("years", 31_557_600_000), ("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000))
_UNITS = (("kilobytes", 1_000), ("megabytes", 1_000_000), ("gigabytes", 1_000_000_000))
INDENT = "  "
_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SYSTEM = ("_code", "_deleted", "_unit", "_same_as", "_not_same", "_shared", "_shares")


class RecordCards(Terminal):
    """A terminal with cards of one record."""

    _node: Node | None = None
    _asked: Type | None = None  # the type of the record that the question shown is about

    def use_node(self, node: Node) -> None:
        """Look up in this node's store what references name."""
        self._node = node

    def record(self, node: Node, found: Record) -> None:
        """A card: heading, then label and value, one field per line; conflicts are marked."""
        self.use_node(node)
        kind = node.schema.types.get(found.type)
        self._asked = self._asked_type(node, found)
        self.line(self.heading(kind, found))
        fields = found.fields
        rows = [(self.label(kind, name), self.format_value(kind, name, value), name) for name, value in fields.items()]
        for label, value, name in rows:
            mark = "  ⚠ " + self.phrase("in_conflict") if name in found.conflicts else ""
            self.line(f"{INDENT}{self.safe(label)}: {value}{mark}")
        for name in found.conflicts:
            if name not in fields:
                self.line(f"{INDENT}{self.safe(self.label(kind, name))}: ⚠ " + self.phrase("in_conflict"))
        if found.deleted:
            self.line(INDENT + self.phrase("is_deleted"))
        if (ended := self._ended_sharing(node, found)) is not None:
            self.line(INDENT + ended)
        if found.same_as:
            self.say("is_same_as", record=self.format_reference(found.same_as))
        if found.merged:
            self.say("has_merged", n=len(found.merged))
        if found.elsewhere:
            self.say("is_elsewhere")
        if found.updated is not None:
            by, at = found.updated.by, local_time(found.updated.at)
            self.line(INDENT + self.phrase("last_changed", by=self.safe(by), at=at))
        for name, heads in (found.registers or {}).items():
            for head in heads:
                source = f"{head.device}:{head.seq}"
                value = self.format_value(kind, name, head.value)
                known = f"{self.safe(self.label(kind, name))} ({self.safe(name)})"
                self.line(f"{INDENT}{known} = {value}  [{source}  {self.safe(head.by)}  {local_time(head.at)}]")

    def _asked_type(self, node: Node, found: Record) -> Type | None:
        """The type of the record that a question is about, if it is here."""
        about = found.fields.get("about")
        if found.type != QUESTION or not isinstance(about, str):
            return None
        try:
            return node.schema.types.get(queries.show(node, about).type)
        except errors.NotFound:
            return None

    def _ended_sharing(self, node: Node, found: Record) -> str | None:
        """What has become of a referral's or a consent's sharing, if nothing is shared now."""
        if node.role == PARTNER:
            return None
        if found.type == partner_sharing.CONSENT and found.fields.get("state") == "withdrawn":
            return self.phrase("consent_ended")
        if found.type != partner_sharing.REFERRAL:
            return None
        with node.store.read() as tx:
            row = tx.row(record_ids.from_text(found.id))
            if row is None or not row.doc.get(partner_sharing.FIELDS):
                return None
            shared = row.doc.get(partner_sharing.WITH) and partner_sharing.is_in_force(tx, row.doc)
        return None if shared else self.phrase("referral_ended")

    def saved(self, node: Node, found: Record, *, duplicates: int = 0) -> None:
        """The saved record, possible duplicates, missing fields, and warnings."""
        self.record(node, found)
        kind = node.schema.types.get(found.type)
        if kind is None:
            return
        if duplicates:
            self.say("pairs_saved", n=duplicates)
        unseen = partner_sharing.hidden_from_partners(kind) if node.role == PARTNER else ()
        missing = [name for name in validate.missing_fields(kind, found.fields, node.today()) if name not in unseen]
        if missing:
            self.say("still_missing", fields=self.several(self.label(kind, name) for name in missing))
        for odd in validate.list_warnings(kind, found.fields, node.today()):
            hint = label_in(kind.fields[odd["field"]].hint, self.lang)
            if odd["reason"] == "warn" and hint:
                self.say("odd_hint", field=self.label(kind, odd["field"]), hint=hint)
                continue
            self.say(
                f"odd_{odd['reason']}" if odd["reason"] in ("warn", "coarse") else "odd",
                field=self.label(kind, odd["field"]),
            )

    def lacking(self, node: Node, found: Iterable[Record]) -> None:
        """Missing fields of several records."""
        lacks = {}
        for one in found:
            kind = node.schema.types.get(one.type)
            for name in validate.missing_fields(kind, one.fields, node.today()) if kind else ():
                lacks[name] = self.label(kind, name)
        if lacks:
            self.say("still_missing", fields=self.several(lacks.values()))

    def removed(self, node: Node, found: Record) -> None:
        """One line: it is gone from the lists."""
        self.say("removed", record=self.heading(node.schema.types.get(found.type), found))

    def several(self, parts: Iterable[object]) -> SafeText:
        """Several words in one line, with the language's comma."""
        return SafeText(messages.list_comma(self.lang).join(map(self.safe, parts)))

    def clauses(self, parts: Iterable[str]) -> SafeText:
        """Clauses in one line, with the language's separator."""
        return messages.join_clauses(parts, self.lang)

    def heading(self, kind: Type | None, found: "Record | SimilarRecord") -> SafeText:
        """A record's heading: code, title, type and unit, and whether it has pending commits."""
        title = self.title(kind, found)
        name = label_in(kind.label, self.lang, kind.name) if kind else found.type
        parts = [found.code or found.id, title, self.safe(name), self.safe(found.unit or "")]
        if found.unsent:
            parts.append(self.phrase("unsent"))
        return SafeText("  ".join(part for part in parts if part))

    def title(self, kind: Type | None, found: "Record | SimilarRecord") -> SafeText:
        """A record's title, without its code."""
        return SafeText(" ".join(self._titles(kind, found)))

    def type_label(self, node: Node, name: str) -> str:
        """A record type's label in the user's language."""
        kind = node.schema.types.get(name)
        return label_in(kind.label, self.lang, name) if kind is not None else name

    def types_label(self, node: Node, name: str) -> str:
        """What several records of a type are called in the person's language."""
        kind = node.schema.types.get(name)
        return label_in(kind.plural, self.lang, name) if kind is not None else name

    def counts(self, node: Node, counts: Mapping[str, int]) -> SafeText:
        """Return how many records there are of which types, in one line."""
        return self.several(f"{self.types_label(node, name)} ({n})" for name, n in counts.items())

    def label(self, kind: Type | None, name: str) -> str:
        """A field's label in the user's language."""
        field = kind.fields.get(name.partition("/")[0]) if kind else None
        if kind is not None and field is not None:
            return label_placeholders.with_field_names(kind, label_in(field.label, self.lang, field.name), self.lang)
        system = name.partition("/")[0]
        return self.phrase(f"field{system}") if system in _SYSTEM else name

    def format_value(self, kind: Type | None, name: str, value: object) -> SafeText:
        """A value as people read it: labels for choices, commas between a set's members, a log's entries one a line."""
        field = kind.fields.get(name.partition("/")[0]) if kind else None
        if value is None:
            return SafeText("—")
        if name.startswith(("_same_as", "_not_same")) and isinstance(value, str):
            return self.format_reference(value)
        if kind is not None and kind.name == QUESTION and name == "conflict_in":
            return self._asked_field(str(value))
        if not isinstance(value, list):
            return self._word(kind, field, value)
        if value and isinstance(value[0], dict):
            entries = (f"{local_time(one['at'])} {self.safe(one['by'])}: {self.safe(one['text'])}" for one in value)
            return SafeText("".join(f"\n{INDENT * 2}{entry}" for entry in entries))
        return self.several(self._word(kind, field, member) for member in value)

    def _asked_field(self, name: str) -> SafeText:
        """What a question is about: a pair, or a field by its label."""
        of, _, other = name.partition("/")
        if of == NOT_SAME:
            return SafeText(self.phrase("question_pair", record=self.format_reference(other)))
        return self.safe(self.label(self._asked, name))

    def plain_words(self, kind: Type, name: str, value: object) -> str:
        """A value as it is written into a line where one can change it: without anything that keeps it apart."""
        return bidi.without_isolates(self.format_value(kind, name, value))

    def _word(self, kind: Type | None, field: Field | None, value: object) -> SafeText:
        if isinstance(value, bool):
            return SafeText(self.phrase("yes" if value else "no"))
        if isinstance(value, dict):
            return self.safe(value.get("reason", "…"))
        if field is None:
            return self.safe(value)
        if field.kind == "derived" and field.type == "text":  # it may be made of others' ids
            text = str(value) if kind is None else kind.derived_words(field, str(value), self.lang)
            ids, rest = _ID.findall(text), map(self.safe, _ID.split(text))
            return SafeText(
                "".join(chain.from_iterable(zip_longest(rest, map(self.format_reference, ids), fillvalue="")))
            )
        return (
            self.format_reference(str(value)) if field.type == "ref" else self.safe(field.value_words(value, self.lang))
        )

    def format_reference(self, record: str) -> SafeText:
        """A referenced record: its code and title, if it is here."""
        try:
            found = queries.show(self._node, record) if self._node is not None else None
        except errors.NotFound:
            found = None
        if self._node is None or found is None:
            return self.safe(record)
        kind = self._node.schema.types.get(found.type)
        titles = self._titles(kind, found)  # a partner has names, and no codes
        code = found.code or ("" if titles else record)
        return SafeText(" ".join(part for part in (code, *titles) if part))

    def _titles(self, kind: Type | None, found: "Record | SimilarRecord") -> list[SafeText]:
        fields = found.fields
        return [
            self._word(kind, kind.fields[n], fields[n]) for n in (kind.title if kind else ()) if kind and fields.get(n)
        ]

    def history(self, node: Node, about: Record, found: "Iterable[SavedChange]") -> None:
        """The record's name, then each save: time, author, device; then each field, old → new, and decisions."""
        self.use_node(node)
        kind = node.schema.types.get(about.type)
        self._asked = self._asked_type(node, about)
        self.line(self.heading(kind, about))
        for entry in found:
            lost = "  ⚠ " + self.phrase("lost") if entry.lost else ""
            lost += "  ⚠ " + self.phrase("kept_aside") if entry.refused else ""
            lost += "  " + self.phrase("on_word", server=self.safe(entry.on_word)) if entry.on_word else ""
            self.line(f"{local_time(entry.at)}  {self.safe(entry.by)}  {entry.device}:{entry.seq}{lost}")
            for name, change in entry.changes.items():
                old, new = self.change(kind, name, change)
                self.line(f"{INDENT}{self.safe(self.label(kind, name))}: {new if old is None else f'{old} → {new}'}")
            for words in self.decision_words(kind, entry):
                self.line(INDENT + words)
            if entry.note:
                self.line(f"{INDENT}“{self.safe(entry.note, lines=True)}”")
            self.receipt(entry.receipt)

    def decision_words(self, kind: Type | None, entry: "SavedChange") -> Iterator[str]:
        """The decisions in a save: conflicts, losing values, and undone decisions."""
        for one in entry.decided or ():
            over = self.several(
                SafeText(f"{self.format_value(kind, one.field, head.value)} ({self.safe(head.by)})")
                for head in one.over
            )
            key = "history_decided" if over else "history_decided_alike"
            yield "⚖ " + self.phrase(key, field=self.safe(self.label(kind, one.field)), over=over)
        for name in entry.undone or ():
            yield "⚖ " + self.phrase("history_undone", field=self.safe(self.label(kind, name)))

    def change(self, kind: Type | None, name: str, told: "ChangedValue") -> tuple[SafeText | None, SafeText]:
        """A field's old and new value in a save; of a set, added and removed members."""
        member = name.partition("/")[2]
        if member and isinstance(told.new, bool):
            return None, SafeText(("+ " if told.new else "− ") + self.format_value(kind, name, member))
        new = self.format_value(kind, name, told.new)
        return (None if told.old is None or told.old == told.new else self.format_value(kind, name, told.old)), new

    def asked(self, questions: "Iterable[AskedQuestion]") -> None:
        """Write questions about a conflict, with whom they were asked of, and the answers."""
        for one in questions:
            self.line(INDENT + self.question_words(one))

    def question_words(self, one: "AskedQuestion") -> SafeText:
        """A question about a conflict in a line."""
        told = {"of": self.safe(one.of), "code": one.code or one.record[:8], "question": self.safe(one.question)}
        if one.answer is None:
            return SafeText(self.phrase("question_open", **told))
        return SafeText(self.phrase("question_answered", **told, answer=self.safe(one.answer)))

    def receipt(self, told: "CommitReceipt") -> None:
        """The progress of a save, if known."""
        parts = []
        if told.bundles and not told.received:
            parts.append(self.phrase("bundled", numbers=self.several(told.bundles)))
        if told.received:
            parts.append(self.phrase("received_by", servers=self.several(told.received)))
        if told.review:
            parts.append(self.phrase({"open": "review_open", "settled": "review_settled"}[told.review]))
        if parts:
            self.line(INDENT + self.clauses(parts))


def local_time(at: str) -> str:
    """A time of the contract's JSON as people read it here: local, to the minute, in ASCII digits."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")


def when_ms(at: int) -> str:
    """A time in milliseconds since 1970 as people read it here."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: int, lang: str) -> str:
    """A number of bytes as people read it."""
    if count < 10_000:
        return messages.phrase("bytes", lang, n=f"{count:,}")
    unit, divisor = next((one for one in _UNITS if count < one[1] * 10_000), _UNITS[-1])
    return messages.phrase(unit, lang, n=f"{count / divisor:,.0f}")


def span(out: Terminal, milliseconds: int) -> str:
    """A span of time of either sign as people read it, in a unit of which it is two or more."""
    unit, length = next((one for one in _SPANS if abs(milliseconds) >= 2 * one[1]), _SPANS[-1])
    return out.phrase(f"span_{unit}", n=f"{round(abs(milliseconds) / length):,}")

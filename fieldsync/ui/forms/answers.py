"""The answers to a form, independent of its display: questions, answers, and resulting changes."""

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from fieldsync import errors
from fieldsync.core import names, record_ids
from fieldsync.core.grants import PARTNER
from fieldsync.replica import queries, value_reader
from fieldsync.replica.changes import Changes, set_difference
from fieldsync.replica.formula_lookups import FormLookups
from fieldsync.replica.lookup import rows_below
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.schema import dates, form_defaults, form_notes, label_placeholders, validate
from fieldsync.schema.expressions.functions import NOW
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Choice, Field, Type
from fieldsync.schema.values import is_id
from fieldsync.store.contract import Row
from fieldsync.ui.terminal import messages

Json = dict[str, Any]
_MOST_AROUND = 500  # records of a family; of an institution with thousands one does not choose from a list


class FormAnswers:
    """The answers so far; `before` is the document shown at opening, None (and no `row`) for a new record."""

    def __init__(
        self, node: Node, kind: Type, lang: str, before: Mapping[str, Any] | None = None, row: Row | None = None
    ) -> None:
        self.node, self.kind, self.lang = node, kind, lang
        self.around = FormLookups(node, row)
        self.reader = value_reader.reader_for_typing(node)
        self.row = row
        self._record = row.state.record if row is not None else None
        self.new = before is None
        self.before = dict(before or {})
        self.doc = dict(self.before)  # what the record would show with the answers so far
        self.logs: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.settled: set[str] = set()  # fields that were answered before, and are not asked
        self.given_along: set[str] = set()  # fields that got their answer from another question
        self._around: dict[tuple[str, object], list[Record]] = {}
        self._implied: dict[str, Any] = {}  # what a precision was before a year or an age gave it
        if self.new:
            self._give_defaults()
        self.opened_with = dict(self.doc)

    @property
    def _document_with_time(self) -> dict[str, Any]:
        """The document as rules are asked of it: with the time."""
        return self.doc | {NOW: self.node.date_and_time()}

    # --- what is asked ---

    def fields_to_ask(self) -> list[str]:
        """The fields to ask for now, in the form's order; of an existing record its state, too."""
        found, _ = self._asked_and_counted()
        if self.new:
            return [name for name in found if self.kind.fields[name].kind != "tally"]
        return [*found, "state"] if self.kind.lifecycle is not None and "state" in self.kind.fields else found

    def _asked_and_counted(self) -> tuple[list[str], dict[str, Any]]:
        """Return the relevant fields, and the document of their answers: others are not saved."""
        doc = self._document_with_time
        while True:
            asked = validate.relevant_fields(self.kind, doc, self.node.today(), self.around)
            gone = {
                name
                for name, field in self.kind.fields.items()
                if field.relevant and name not in asked and doc.get(name) != self.before.get(name)
            }
            if not gone:
                return asked, doc
            doc |= {name: self.before.get(name) for name in gone}  # others may be asked because of them

    @property
    def _counted_document(self) -> dict[str, Any]:
        """The document of the answers that count, with the time."""
        return self._asked_and_counted()[1]

    def notes_shown(self) -> dict[str, list[str]]:
        """Return the notes for the answers so far, by the field they precede; "" for the end."""
        return form_notes.notes_shown(self.kind, self._counted_document, self.node.today(), self.around)

    def note_text(self, name: str) -> str:
        """Return a note's text with placeholders filled in."""
        return self.fill_label(label_in(self.kind.notes[name].label, self.lang))

    def missing_fields(self) -> list[str]:
        """The fields that are still needed, in the form's order."""
        return validate.missing_fields(self.kind, self._counted_document, self.node.today(), self.around)

    def is_needed(self, field: Field) -> bool:
        """Return whether a field is one of those that a complete record has."""
        return field.required == "always" or (field.required == "when" and field.name in self.missing_fields())

    def choices_of(self, field: Field) -> Sequence[Choice]:
        """The answers to choose from; of states only those that may follow."""
        if field.type in ("state", "approval"):
            lifecycle = self.kind.lifecycle_of(field.name)
            after = lifecycle.next_states(self.doc.get(field.name)) if lifecycle is not None else ()
            return [choice for choice in field.offered_choices if choice.code in after]
        return (
            validate.offered_choices(self.kind, field, self._counted_document, self.node.today())
            if field.type == "choice"
            else ()
        )

    def find_reference(self, field: Field, text: str) -> str:
        """The id of the record that a text names by its code, or the text where the field takes words. NoRecord, Ambiguous."""
        return str(self.reader.read_value(field, text))

    def find_records(self, field: Field, text: str) -> list[Record]:
        """The records that a reference may mean by words."""
        return [found for found in queries.find(self.node, text, limit=0) if found.type in field.to]

    def records_around(self, field: Field) -> list[Record]:
        """The records that a reference is likely to mean: those that belong to the same family as this one, or to this one."""
        owner = self.doc.get(self.kind.belongs_to or "")
        if (field.name, owner) not in self._around:
            self._around[field.name, owner] = (
                [] if field.name == self.kind.belongs_to else self._read_around(field, owner)
            )
        return self._around[field.name, owner]

    def _read_around(self, field: Field, owner: object) -> list[Record]:
        with self.node.store.read() as tx:
            row = self.row or (tx.row(record_ids.from_text(owner)) if isinstance(owner, str) and is_id(owner) else None)
            if row is None:
                return []
            root = row
            while root.owner is not None and (above := tx.row(root.owner)) is not None:
                root = above
            shaper = queries.RecordShaper(self.node, tx)
            below = rows_below(tx, [root.state.record], _MOST_AROUND)
            return [
                shaper.record(one)
                for record, one in below.items()
                if one.state.type in field.to
                and record != self._record
                and "_deleted" not in one.doc
                and not tx.is_merged(record)
            ]

    def fill_label(self, text: str) -> str:
        """A label in the words of the answers that it speaks of."""
        return (
            label_placeholders.fill_placeholders(text, self._answer_text)
            if label_placeholders.has_placeholders(text)
            else text
        )

    def label_of(self, field: Field) -> str:
        """Return a field's label with placeholders filled in."""
        return self.fill_label(label_in(field.label, self.lang, field.name))

    def _answer_text(self, name: str) -> str:
        kind, doc = self.kind, self.doc | self.derived_values()
        of, point, beyond = name.partition(".")
        if point:
            with self.node.store.read() as tx:
                row = tx.rows([record_ids.from_text(str(doc[of]))]).popitem()[1] if is_id(str(doc.get(of))) else None
            if row is None or row.state.type not in self.node.schema.types:
                return ""
            kind, doc, of = self.node.schema.types[row.state.type], row.doc, beyond
        field, value = kind.fields.get(of), doc.get(of)
        if field is None or value is None or field.type == "ref":
            return ""
        return messages.list_comma(self.lang).join(
            field.value_words(one, self.lang) for one in (value if isinstance(value, list) else [value])
        )

    # --- what is answered ---

    def set_answer(self, field: Field, value: object) -> None:
        """Take one answer, None for none; IllegalValue and its kin, and then nothing changes."""
        if field.kind == "log":
            self.logs.pop(field.name, None)
            if value is not None:
                self.logs[field.name] = str(validate.check_new_member(field, value))
        elif field.kind == "tally":
            self.counts.pop(field.name, None)
            if value is not None:
                self.counts[field.name] = int(validate.check_new_member(field, value))
        elif field.kind == "set":
            members = map(str, self.reader.read_members(field, value))
            known = self.before.get(field.name) or ()
            given = sorted({one if one in known else str(validate.check_new_member(field, one)) for one in members})
            validate.check_changes(
                self.kind, {}, self._document_with_time | {field.name: given}, self.node.today(), sets=[field.name]
            )
            self._store_answer(field.name, given or None)
        else:
            self._set_plain(field, value)

    def settle_answers(self, answers: Mapping[str, object]) -> None:
        """Begin with these answers, which are not asked for."""
        self.answer_first(answers)
        self.settled |= answers.keys()

    def answer_first(self, answers: Mapping[str, object]) -> None:
        """Begin with these answers, as far as the form takes them."""
        for name, value in answers.items():
            if name in self.kind.fields:
                with suppress(errors.FieldsyncError):
                    self.set_answer(self.kind.fields[name], value)

    def _set_plain(self, field: Field, value: object) -> None:
        today = self.node.today()
        precision = dates.precision_field(self.kind.fields, field.name) if field.type == "date" else None
        rough = dates.approximate_date(value, today) if precision is not None else None
        given = rough[0] if rough is not None else self.reader.read_value(field, value)
        self._store_answer(
            field.name,
            validate.check_changes(self.kind, {field.name: given}, self._document_to_judge(field), today)[field.name],
        )
        self._implied.pop(field.name, None)
        if precision is None:
            return
        if rough is not None:
            self.given_along.add(precision.name)
            self._implied.setdefault(precision.name, self.doc.get(precision.name))
            self._store_answer(precision.name, rough[1])
        elif precision.name in self._implied:  # a year was only the beginning of what was typed
            self._store_answer(precision.name, self._implied.pop(precision.name))

    def _document_to_judge(self, field: Field) -> dict[str, Any]:
        """Return the document for validating an answer: a state follows the record's, not one just chosen."""
        return self._document_with_time | {
            name: self.before.get(name) for name in (field.name,) if field.type == "state" or field.merge == "once"
        }

    def _store_answer(self, name: str, value: object) -> None:
        if value is None:
            self.doc.pop(name, None)
        else:
            self.doc[name] = value

    def looks_odd(self, field: Field) -> bool:
        """Return whether an answer is legal and yet looks odd."""
        return any(
            one["field"] == field.name
            for one in validate.list_warnings(self.kind, self._document_with_time, self.node.today())
        )

    def _give_defaults(self) -> None:
        """Set default answers, in the form's order; defaults illegal beside other answers are left out."""
        for field in self.kind.fields.values():
            if field.default and not field.retired:
                full = validate.whole_document(self.kind, self._document_with_time, self.node.today())
                with contextlib.suppress(errors.FieldsyncError):
                    self.set_answer(field, form_defaults.default_value(field, full, self.node.today()))

    # --- what it comes to ---

    @cached_property
    def derived_fields(self) -> list[str]:
        """The fields that follow from others, in the form's order; a partner is not shown all that these come from."""
        if self.node.role == PARTNER:
            return []
        return [field.name for field in self.kind.fields.values() if field.kind == "derived" and not field.retired]

    def derived_values(self) -> Json:
        """Return the computed values from the answers so far and other records, as far as known."""
        if not self.derived_fields:
            return {}
        full = validate.whole_document(self.kind, self._counted_document, self.node.today(), self.around)
        return {name: full[name] for name in self.derived_fields if name in full}

    def build_changes(self) -> Changes:
        """Return the differences to the opened document; answers no longer relevant do not count."""
        asked = {*self.fields_to_ask(), "state"}
        plain: dict[str, object] = {}
        put: dict[str, Sequence[object]] = {}
        drop: dict[str, Sequence[object]] = {}
        for name, field in self.kind.fields.items():
            old, new = self.before.get(name), self.doc.get(name)
            if old == new or name not in asked:
                continue
            if field.kind == "set":
                put[name], drop[name] = set_difference(old or (), new or ())
            elif field.kind == "plain":
                plain[name] = new
        return Changes(set=plain, put=put, drop=drop, count=dict(self.counts), say=dict(self.logs))

    def current_document(self) -> Mapping[str, Any]:
        """Return the record's present document, with changes by anybody since opening."""
        if self._record is None:
            return self.before
        with self.node.store.read() as tx:
            row = tx.row(self._record)
        return self.before if row is None else row.doc

    def copy_answers(self) -> tuple[Json, dict[str, str], dict[str, int]]:
        """All answers as they are now, to compare with or to put back."""
        return dict(self.doc), dict(self.logs), dict(self.counts)

    def restore_answers(self, held: tuple[Json, dict[str, str], dict[str, int]]) -> None:
        """Have the answers as they were."""
        self.doc, self.logs, self.counts = (dict(part) for part in held)

    @property
    def has_answers(self) -> bool:
        """Whether there is any answer, were it a default."""
        return self.doc != self.before or bool(self.logs or self.counts)

    @property
    def was_touched(self) -> bool:
        """Whether a person answered anything."""
        return self.doc != self.opened_with or bool(self.logs or self.counts)


def stored_value(node: Node, kind: Type | None, lang: str, name: str, text: str) -> str:
    """Return the value for typed text: a record by its code, or by words that match one only. NoRecord, Ambiguous."""
    field = kind.fields.get(name) if kind is not None else None
    if kind is None or field is None or field.type != "ref":
        return (
            text.strip() if field is None else str(value_reader.reader_for_typing(node).read_value(field, text.strip()))
        )
    filling = FormAnswers(node, kind, lang)
    try:
        return filling.find_reference(field, text.strip())
    except errors.NoRecord:
        found = filling.find_records(field, text.strip())
        if len(found) != 1:
            raise
        return str(found[0].id)


def refusal_text(fault: errors.FieldsyncError, kind: Type | None, lang: str, node: Node) -> str:
    """Return why an answer was not taken: in words about the answer where they are, else the error's own."""
    if isinstance(fault, errors.IllegalValue) and kind is not None:
        return messages.reason_text(messages.label_facts({"type": kind.name, **fault.facts}, lang, node.schema), lang)
    return messages.explain_error(fault, lang, node.schema)[0]


def matching_choices(choices: Sequence[Choice], text: str) -> list[Choice]:
    """Return the choices that a text may mean: those that have its words in either language, spelling forgiven."""
    wanted = _fold_words(text)
    if not wanted:
        return list(choices)
    starts, holds = [], []
    for choice in choices:
        said = [_fold_words(one) for one in (*choice.label.values(), choice.code)]
        if any(one.startswith(wanted) for one in said):
            starts.append(choice)
        elif any(wanted in one for one in said):
            holds.append(choice)
    return starts + holds


def _fold_words(text: str) -> str:
    return names.fold_text(text)


_EXPLAINED = ("date", "month", "phone", "int", "number", "money", "bool", "choice", "ref", "geopoint", "paper", "note")


def explained_type(field: Field) -> str:
    """Return the key of the words that explain what to type into a field."""
    if field.type in _EXPLAINED:
        return f"form_type_{field.type}"
    return "form_type_max" if length_limit(field) else "form_type"


def length_limit(field: Field) -> str:
    """Return the most characters of a text field, for a sentence; empty if there is no limit."""
    return f"{field.max:,}" if field.type == "text" and isinstance(field.max, int) else ""

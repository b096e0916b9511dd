"""The questions of an XLSForm as fields: groups become sections, repeats become child types."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from fieldsync.exchange.xlsform import labels
from fieldsync.exchange.xlsform import unsupported as lost
from fieldsync.exchange.xlsform.choices import ChoiceLists, asked_lists
from fieldsync.exchange.xlsform.labels import LabelReader
from fieldsync.exchange.xlsform.model import CLOCK, AskedWhen, ConversionNote, FormQuestion, Place, TypeDraft
from fieldsync.exchange.xlsform.names import name_of
from fieldsync.exchange.xlsform.question_rules import QuestionRules
from fieldsync.schema.load import RESERVED_FIELDS, RESERVED_TYPES
from fieldsync.schema.source_file import NAME
from fieldsync.schema.text_cleaning import plain_digits

Table = dict[str, Any]
_TYPES = {
    "text": "text", "string": "text", "barcode": "text", "hidden": "text",
    "integer": "int", "int": "int", "decimal": "number", "range": "int", "date": "date", "time": "text", "dateTime": "text",
    "datetime": "text", "select one": "choice", "select all that apply": "choice", "geopoint": "geopoint", "acknowledge": "bool",
    "trigger": "bool", "calculate": "text", "tel": "text", "phone": "text", "gps": "geopoint",
}  # fmt: skip
# what every record carries anyway, and what is about the telephone
_OWN = {
    *(
        "start",
        "end",
        "today",
        "deviceid",
        "username",
        "phonenumber",
        "simserial",
        "subscriberid",
        "email",
        "instanceID",
    ),
    *("start-geopoint", "instanceName", "version", "entity", "attribute", "label"),
}


class FormDraft:
    """A form in the making: `find_questions` finds the questions, `translate_rules` puts their conditions into our words."""

    def __init__(
        self,
        survey: Table,
        rows: Sequence[Table],
        stem: str,
        type: str | None,
        taken: set[str],
        *,
        choices: Sequence[Table] = (),
    ) -> None:
        self.notes: list[ConversionNote] = []
        self.kinds: dict[str, TypeDraft] = {}
        self._labels = LabelReader(survey)
        self._survey = survey
        self.taken = taken
        self._repeats: dict[str, str] = {}  # our types → what the repeats are called there
        self._rows: dict[str, list[int]] = {}
        self._said: dict[int, str] = {}  # a row's type, as it stands there
        for number, row in enumerate(rows, 2):
            self._rows.setdefault(str(row.get("name") or row.get("Name") or ""), []).append(number)
            self._said[number] = str(row.get("type") or "").strip()
        self._told: set[ConversionNote] = set()
        self._doubled: set[str] = set()  # names that several questions have, in groups of their own
        self._lists = ChoiceLists(survey, choices, self._labels, self._note_once, self.note_loss, asked_lists(rows))
        wanted = type or _target_type(survey) or _entity_type(survey) or str(survey.get("id_string") or "") or stem
        self._main = self._make_type(wanted, survey.get("title") or stem)

    def note_loss(self, question: FormQuestion, what: str, why: str) -> None:
        """List an unsupported part of a question."""
        self.notes.append(ConversionNote("survey", question.row, question.name, what, why))

    def _make_type(self, wanted: str, label: object, owner: str = "") -> TypeDraft:
        name = name_of(
            wanted, {*self.kinds, *(one.removesuffix(".toml") for one in self.taken)} if owner else set(self.kinds)
        )
        while name in RESERVED_TYPES:
            name = f"{name}_form"
        kind = self.kinds[name] = TypeDraft(name, self._labels.label_of(label, wanted), owner)
        return kind

    # --- the questions ---

    def find_questions(self) -> None:
        """Find all questions."""
        self._walk_children(self._survey.get("children") or (), self._main, "", [], ())
        if self._labels.nameless:
            self.notes.append(ConversionNote("survey", None, "", "language", ", ".join(self._labels.nameless)))
        for lacking in self._labels.lacking:
            self.notes.append(ConversionNote("survey", None, "", "label", f"lacking_{lacking}"))

    def _has_inner_repeats(self, kind: TypeDraft) -> bool:
        """Return whether a repeat has others in it, whose records belong to its own."""
        return bool(kind.owner) and any(one.owner == kind.name for one in self.kinds.values())

    def drop_empty_types(self) -> None:
        """A form that only asks in its repeats makes types of these alone."""
        while empty := [one for one in self.kinds.values() if not (one.has_questions or self._has_inner_repeats(one))]:
            kind = empty[0]
            del self.kinds[kind.name]
            for note in kind.notes.values():
                self.note_loss(note, "question", "type note")
            for child in self.kinds.values():
                if child.owner == kind.name:
                    del child.questions[child.owner]
                    child.owner = ""
                    self._repeats.pop(child.name, None)

    def _walk_children(
        self, children: Sequence[Table], kind: TypeDraft, section: str, relevant: list[AskedWhen], above: Place
    ) -> None:
        for child in children:
            if not isinstance(child, dict):
                continue
            name, type = str(child.get("name") or ""), str(child.get("type") or "")
            if name == "meta" and type == "group":
                continue
            row = self._row_number(name)
            bind = child.get("bind") if isinstance(child.get("bind"), dict) else {}
            place = (*above, name)
            inner = [*relevant, *([AskedWhen(str(bind["relevant"]), place)] if bind and bind.get("relevant") else [])]
            if type in ("group", "loop"):
                self._walk_children(
                    child.get("children") or (), kind, self._add_section(child, kind, section), inner, place
                )
            elif type == "repeat":
                self._add_repeat(child, kind, row, relevant, place)
            elif type == "note" and child.get("label"):
                self._add_note(child, kind, section, inner, row, place)
            elif type == "note" or (type not in _TYPES and type not in _OWN):
                said = self._said.get(row or 0, "").partition(" ")[0] or type
                self.notes.append(ConversionNote("survey", row, name, "question", f"type {said}"))
            elif type not in _OWN:
                self._add_question(child, kind, section, inner, row, place)

    def _row_number(self, name: str) -> int | None:
        rows = self._rows.get(name)
        return rows.pop(0) if rows else None

    def _add_section(self, group: Table, kind: TypeDraft, above: str) -> str:
        if not group.get("label"):
            return above
        name = name_of(str(group.get("name") or "part"), set(kind.sections))
        kind.sections[name] = self._labels.label_of(group["label"], name)
        return name

    def _add_repeat(
        self, repeat: Table, kind: TypeDraft, row: int | None, above: list[AskedWhen], place: Place
    ) -> None:
        name = str(repeat.get("name") or "part")
        child = self._make_type(f"{kind.name}_{name}", repeat.get("label") or name, owner=kind.name)
        owner = {
            "type": "ref",
            "to": [kind.name],
            "merge": "review",
            "required": "always",
            "sensitivity": 1,
            "label": kind.label,
        }
        child.questions[kind.name] = FormQuestion(kind.name, row, {}, owner, [])
        self._repeats[child.name] = name
        if (repeat.get("bind") or {}).get("relevant") or above:
            self.notes.append(ConversionNote("survey", row, name, "relevant", "repeat"))
        if (repeat.get("control") or {}).get("jr:count"):
            self.notes.append(ConversionNote("survey", row, name, "repeat_count", "repeat"))
        self._walk_children(repeat.get("children") or (), child, "", [], place)

    def _add_question(
        self, child: Table, kind: TypeDraft, section: str, relevant: list[AskedWhen], row: int | None, place: Place
    ) -> None:
        raw, type = str(child["name"]), str(child["type"])
        bind = child["bind"] if isinstance(child.get("bind"), dict) else {}
        asked = str(child.get("record") or "").partition(".")
        wanted = (asked[2] if asked[0].strip() == kind.name else "") or str(bind.get("entities:saveto") or "") or raw
        name = name_of(wanted, {*kind.questions, *RESERVED_FIELDS})
        made: Table = {"type": _TYPES[type], "sensitivity": self._sensitivity(child, type), "section": section}
        question = FormQuestion(name, row, child, made, relevant, place=place)
        if child.get("record") and asked[0].strip() != kind.name:
            self.note_loss(question, "record", "other_type")
        made["label"] = self._labels.label_of(child.get("label"), raw)
        hint = self._labels.label_of(child.get("hint"), "")
        needed = self._labels.label_of(bind.get("jr:requiredMsg"), "")
        made["hint"] = {key: f"{hint[key]} ({needed[key]})" for key in hint} if hint and needed else hint or needed
        made["message"] = self._labels.label_of(bind.get("jr:constraintMsg"), "")
        if made["type"] == "choice" and not self._lists.take_choices(question, child):
            return
        if type in CLOCK:
            made["pattern"] = CLOCK[type]
        if type == "range":
            self._add_range(question, child)
        if "multiline" in str((child.get("control") or {}).get("appearance") or "").split():
            if made["type"] == "text" and type not in CLOCK:
                made["type"] = "note"
            else:
                self.note_loss(question, "appearance", "no_place")
        for column in lost.unsupported_of_question(child):
            self.note_loss(question, column, "no_place")
        for what, words in (
            ("label", child.get("label")),
            ("hint", child.get("hint")),
            ("constraint_message", bind.get("jr:constraintMsg")),
        ):
            for why in labels.lost_parts(words):
                self.note_loss(question, what, why)
        if lost.is_read_only(child) and not bind.get("calculate") and not child.get("default") and child.get("label"):
            self._add_note(child, kind, section, relevant, row, place)  # it only says something
        made["hxl"] = "".join(str(child.get("hxl") or "").split())
        if raw in kind.raw:
            self._doubled.add(raw)
        kind.raw.setdefault(raw, name)
        kind.paths[place] = name
        kind.questions[name] = question
        kind.order.append(("question", name))

    def _add_note(
        self, child: Table, kind: TypeDraft, section: str, relevant: list[AskedWhen], row: int | None, place: Place
    ) -> None:
        """Convert a note; its hint is appended."""
        name = name_of(str(child["name"]), set(kind.notes))
        label, hint = self._labels.label_of(child["label"], name), self._labels.label_of(child.get("hint"), "")
        words = {key: f"{label[key]} ({hint[key]})" for key in label} if hint else label
        note = FormQuestion(name, row, child, {"section": section, "label": words}, relevant, place=place)
        for column in lost.unsupported_of_note(child):
            self.note_loss(note, column, "no_place")
        for what in ("label", "hint"):
            for why in labels.lost_parts(child.get(what)):
                self.note_loss(note, what, why)
        kind.notes[name] = note
        kind.order.append(("note", name))

    def _sensitivity(self, child: Table, type: str) -> int:
        given = plain_digits(str(child.get("sensitivity") or "")).partition(".")[0]
        if given in ("0", "1", "2", "3", "4"):
            return int(given)
        return 3 if type == "geopoint" else 2

    def _add_range(self, question: FormQuestion, child: Table) -> None:
        given = child.get("parameters") or {}
        whole = all(re.fullmatch(r"-?\d{1,15}(\.0*)?", str(given.get(key, "1"))) for key in ("start", "end", "step"))
        question.field["type"] = "int" if whole else "number"
        for key, ours in (("start", "min"), ("end", "max")):
            if re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", str(given.get(key, ""))):
                question.field[ours] = int(float(given[key])) if whole else float(given[key])

    def _note_once(self, note: ConversionNote) -> None:
        """Note something once, however many questions share its list."""
        if note not in self._told:
            self._told.add(note)
            self.notes.append(note)

    # --- words ---

    def resolve_references(self) -> None:
        """Resolve references in labels; a parent's question is `above.question`. Unknown ones are listed."""
        for kind in self.kinds.values():
            above = self.kinds.get(kind.owner)

            def name(raw: str, kind: TypeDraft = kind, above: TypeDraft | None = above) -> str:
                if raw in kind.questions and raw not in kind.raw:
                    return raw  # said so before
                ours = kind.raw.get(raw, "")
                if not ours and above is not None and (raw.partition(".")[0] == kind.owner or raw in above.raw):
                    ours = f"{kind.owner}.{above.raw.get(raw, raw.partition('.')[2])}"
                    return ours if ours.partition(".")[2] in above.questions else ""
                return ours if ours in kind.questions else ""

            for question in kind.questions.values():
                for what in ("label", "hint", "message"):
                    self._refer_words(
                        ConversionNote("survey", question.row, question.name, what, ""), question.field.get(what), name
                    )
                for code, words in question.choices.items():
                    self._refer_words(ConversionNote("choices", None, code, "label", ""), words, name)
            for note in kind.notes.values():
                self._refer_words(ConversionNote("survey", note.row, note.name, "label", ""), note.field["label"], name)
            for section, words in kind.sections.items():
                self._refer_words(ConversionNote("survey", None, section, "label", ""), words, name)
            self._refer_words(ConversionNote("survey", None, kind.name, "label", ""), kind.label, lambda _raw: "")

    def _refer_words(self, note: ConversionNote, words: Table | None, name: Callable[[str], str]) -> None:
        for raw in sorted(labels.replace_references(words, name)) if words else ():
            self._note_once(note._replace(why=f"unknown {raw}"))

    def translate_rules(self) -> None:
        """Put the questions' rules into expressions of ours."""
        QuestionRules(self.kinds, self._repeats, self._doubled, self.note_loss).translate_rules()


def _target_type(survey: Table) -> str:
    """The type that the form's own column `record` names most."""
    found: dict[str, int] = {}
    ahead = list(survey.get("children") or ())
    while ahead:
        child = ahead.pop()
        if isinstance(child, dict):
            type, dot, _ = str(child.get("record") or "").partition(".")
            if dot and NAME.fullmatch(type.strip()):
                found[type.strip()] = found.get(type.strip(), 0) + 1
            if child.get("type") != "repeat":
                ahead.extend(child.get("children") or ())
    return max(found, key=lambda one: found[one]) if found else ""


def _entity_type(survey: Table) -> str:
    """The entity list that a form writes to, in the singular: households are made of households."""
    for child in survey.get("children") or ():
        if isinstance(child, dict) and child.get("name") == "meta":
            for entity in child.get("children") or ():
                for part in entity.get("children") or ():
                    if part.get("name") == "dataset":
                        name = str(part.get("value") or "")
                        return re.sub(r"ies$", "y", name) if name.endswith("ies") else name.removesuffix("s")
    return ""

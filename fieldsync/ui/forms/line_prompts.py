"""The form as prompts, one question at a time, each answer validated at once, with a way back.

The questions follow the answers so far: a question whose condition no longer holds is skipped, and its
answer is not saved.
"""

from collections.abc import Mapping, Sequence

from fieldsync import errors
from fieldsync.core import names
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Choice, Field, Type
from fieldsync.schema.set_members import typed_members
from fieldsync.store.contract import Row
from fieldsync.ui.forms import record_picker
from fieldsync.ui.forms.answers import FormAnswers, explained_type, length_limit, refusal_text
from fieldsync.ui.views.tables import Tables

BACK, HELP, EMPTY, DONE = "<", "?", "-", "."
_LINE = 76  # columns: a form fits a terminal of 80
_MATCHES = 9


class PreviousQuestion(Exception):
    """The person wants the question before."""


class FormFinished(Exception):
    """The person has finished the form early."""


class LineForm:
    """One form line by line; of an existing record, its `row`."""

    def __init__(self, out: Tables, node: Node, kind: Type, row: Row | None = None) -> None:
        self._out, self._node, self._kind = out, node, kind
        out.use_node(node)
        self._filling = FormAnswers(node, kind, out.lang, None if row is None else row.doc, row)
        self._asked: list[str] = []
        self._noted: set[str] = set()  # notes that were shown
        self._section = ""
        self._near = record_picker.RecordMatches([])  # records of the same family, for a reference

    def answer_first(self, answers: Mapping[str, object]) -> None:
        """Begin with these answers; they are asked about all the same."""
        self._filling.answer_first(answers)

    def answer_for_good(self, answers: Mapping[str, object]) -> None:
        """Begin with these answers, which are not asked about."""
        self._filling.settle_answers(answers)
        self._asked += answers

    def ask_all(self) -> Changes:
        """Ask all relevant questions and return the changes; KeyboardInterrupt cancels without saving."""
        name = label_in(self._kind.label, self._out.lang, self._kind.name)
        self._out.say("form_new" if self._filling.new else "form_edit", name=name)
        self._out.say("form_keys")
        try:
            return self._ask_relevant()
        except KeyboardInterrupt:
            self._out.say("form_given_up")
            raise

    def _ask_relevant(self) -> Changes:
        while True:
            name = self._next_field()
            try:
                self._show_notes(name)
                if name == "":
                    missing = self._filling.missing_fields()
                    if missing:
                        labels = self._out.several(self._out.label(self._kind, one) for one in missing)
                        self._out.say("still_missing", fields=labels)
                    self._read_line(self._out.phrase("form_save") + " ")
                    return self._filling.build_changes()
                self._ask_question(self._kind.fields[name])
                self._asked.append(name)
            except PreviousQuestion:
                self._section = ""
                if self._asked:
                    self._asked.pop()
                self._forget_notes()
            except FormFinished:
                return self._filling.build_changes()

    def _next_field(self) -> str:
        """The first relevant field that was not asked yet; "" after the last."""
        return next((name for name in self._filling.fields_to_ask() if name not in self._asked), "")

    # --- notes ---

    def _show_notes(self, name: str) -> None:
        """Show the notes that come before a question, "" being the end, and were not shown yet."""
        if not self._kind.notes:
            return
        here = self._place_of(name)
        for note in (one for some in self._filling.notes_shown().values() for one in some):
            if note not in self._noted and self._place_of(self._kind.notes[note].before) <= here:
                self._noted.add(note)
                self._show_section(self._kind.notes[note].section)
                self._out.line(self._out.safe(self._filling.note_text(note)))

    def _forget_notes(self) -> None:
        """Have the notes behind the last question that was answered shown again."""
        last = self._place_of(self._asked[-1]) if self._asked else -1
        self._noted = {one for one in self._noted if self._place_of(self._kind.notes[one].before) <= last}

    def _place_of(self, field: str) -> int:
        fields = list(self._kind.fields)
        return fields.index(field) if field else len(fields)

    # --- one question ---

    def _ask_question(self, field: Field) -> None:
        self._show_section(field.section)
        choices = self._filling.choices_of(field)
        if choices:
            self._show_choices(choices)
        elif field.filter:
            self._out.say("form_none_offered")
        self._near = record_picker.RecordMatches([])
        if field.type == "ref":
            self._near = record_picker.match_records(self._out, self._filling, field, "", _MATCHES)
            self._show_records(self._near)
        prompt = self._prompt_text(field)
        while True:
            given = self._read_line(prompt)
            if given == HELP:
                self._show_help(field, choices)
            elif given == "" or self._accept_answer(field, choices, given):
                return

    def _show_section(self, section: str) -> None:
        """Show the heading of a section that another one went before."""
        if section != self._section:
            self._section = section
            label = label_in(self._kind.sections.get(section, {}), self._out.lang, section)
            self._out.line(f"── {self._out.safe(self._filling.fill_label(label))} ──" if label else "")

    def _prompt_text(self, field: Field) -> str:
        out = self._out
        needed = self._filling.is_needed(field)
        value = self._filling.doc.get(field.name)
        shown = "" if value is None or field.kind == "log" else f" [{out.format_value(self._kind, field.name, value)}]"
        several = f" ({out.phrase('form_several')})" if field.kind == "set" else ""
        return f"{out.safe(self._filling.label_of(field))}{' *' if needed else ''}{several}{shown}: "

    def _read_line(self, prompt: str) -> str:
        given = self._out.ask(prompt).strip()
        if given == BACK:
            raise PreviousQuestion
        if given == DONE:
            raise FormFinished
        return given

    def _show_help(self, field: Field, choices: Sequence[Choice]) -> None:
        out = self._out
        hint = self._filling.fill_label(label_in(field.hint, out.lang)) or out.phrase(
            explained_type(field), n=length_limit(field)
        )
        out.line(f"  {out.safe(hint)}")
        if choices:
            self._show_choices(choices)

    def _accept_answer(self, field: Field, choices: Sequence[Choice], given: str) -> bool:
        """Accept a legal answer; else print why it is illegal."""
        try:
            self._set_answer(field, choices, given)
        except errors.FieldsyncError as fault:
            if "choices" in fault.facts:
                fault.facts["choices"] = [one.code for one in choices]  # those that were offered
            self._out.line(f"  ✗ {refusal_text(fault, self._kind, self._out.lang, self._node)}")
            return False
        return True

    def _set_answer(self, field: Field, choices: Sequence[Choice], given: str) -> None:
        if given == EMPTY:
            self._filling.set_answer(field, None)
        elif field.kind == "set":
            self._filling.set_answer(
                field, [self._parse_answer(field, choices, part) for part in typed_members(field, given)]
            )
        else:
            self._filling.set_answer(
                field, self._parse_answer(field, choices, given) if field.kind == "plain" else given
            )
        if field.kind == "plain" and self._filling.looks_odd(field):
            self._out.say("odd", field=self._out.label(self._kind, field.name))

    def _parse_answer(self, field: Field, choices: Sequence[Choice], given: str) -> object:
        """Return the meaning of an answer: a choice by number, a record by code or name, else the text."""
        plain = names.strip_invisible(given)
        if _can_be_numbered(choices) and plain.isdecimal() and 1 <= int(plain) <= len(choices):
            return choices[int(plain) - 1].code
        if self._near.options and plain.isdecimal() and 1 <= int(plain) <= len(self._near.options):
            return self._near.options[int(plain) - 1].record
        return self._find_record(field, given) if field.type == "ref" else given

    def _find_record(self, field: Field, given: str) -> str:
        """Return a record's id for a code, a prefix or a name; the user chooses among several."""
        try:
            return self._filling.find_reference(field, given)
        except errors.NoRecord:
            found = record_picker.match_records(self._out, self._filling, field, given, _MATCHES)
        if not found.options:
            raise errors.NoRecord(ref=given)
        self._show_records(found)
        chosen = names.strip_invisible(self._read_line(self._out.phrase("form_which") + " "))
        if not (chosen.isdecimal() and 1 <= int(chosen) <= len(found.options)):
            raise errors.NoRecord(ref=chosen)
        return found.options[int(chosen) - 1].record

    def _show_records(self, found: record_picker.RecordMatches) -> None:
        for number, one in enumerate(found.options, 1):
            self._out.line(f"  {number}  {one.words}")
        if found.more:
            self._out.line("  " + self._out.phrase("picker_more", n=found.more))

    # --- choices ---

    def _show_choices(self, choices: Sequence[Choice]) -> None:
        """Print numbers and labels, as many per line as fit; numeric codes replace the numbers."""
        numbered = _can_be_numbered(choices)
        words = [
            self._out.safe(self._filling.fill_label(label_in(one.label, self._out.lang, one.code))) for one in choices
        ]
        cells = [
            f"{number if numbered else self._out.safe(one.code)} {said}"
            for number, (one, said) in enumerate(zip(choices, words, strict=True), 1)
        ]
        line = ""
        for cell in cells:
            if line and len(line) + len(cell) + 3 > _LINE:
                self._out.line("  " + line)
                line = ""
            line += ("   " if line else "") + cell
        self._out.line("  " + line)


def _can_be_numbered(choices: Sequence[Choice]) -> bool:
    """Return whether choices can be called by their place: not where a number is some choice's code."""
    return bool(choices) and not any(names.strip_invisible(one.code).lstrip("+-").isdecimal() for one in choices)

"""All rows of a form in order: questions, notes between them, computed values."""

from collections.abc import Iterator, Sequence

from fieldsync.ui.forms.question_row import QuestionRow
from fieldsync.ui.forms.rows import DerivedRow, NoteRow, QuestionSheet, note_rows
from fieldsync.ui.widgets.line_writer import LineWriter

FormRow = QuestionRow | DerivedRow | NoteRow


def list_rows(pen: LineWriter, sheets: Sequence[QuestionSheet], questions: Sequence[QuestionRow]) -> Iterator[FormRow]:
    """The questions of each sheet with the notes between them, and at the end of a section what follows from its answers."""
    for sheet in sheets:
        mine = [one for one in questions if one.filling is sheet.filling]
        follow = [DerivedRow(pen, sheet.filling, sheet.filling.kind.fields[name]) for name in sheet.derived_fields()]
        last = {one.section: one for one in mine}
        notes = note_rows(pen, sheet, [one.field.name for one in mine])
        asked = set(sheet.filling.fields_to_ask())
        for question in mine:
            question.display = question.field.name in asked
            yield from notes.get(question.field.name, ())
            yield question
            if last[question.section] is question:
                yield from (one for one in follow if one.section == question.section)
        yield from (one for one in follow if one.section not in last)
        yield from notes.get("", ())

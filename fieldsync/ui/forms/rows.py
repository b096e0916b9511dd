"""Rows of a form besides its questions: the sheet of one record, computed values, action rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key

from fieldsync.schema.model import Field
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.widgets.input_cells import TURNED
from fieldsync.ui.widgets.line_writer import GOOD, QUIET, LinePart, LineWriter
from fieldsync.ui.widgets.text_panels import TextPanel


@dataclass
class QuestionSheet:
    """Questions of one record; `only` these fields, or all that are asked for."""

    filling: FormAnswers
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def asked_fields(self) -> list[str]:
        """The fields that may ever be asked for, in the form's order."""
        fields = sorted(
            self.filling.kind.fields.values(), key=lambda field: field.type == "state"
        )  # the state comes last
        return [
            field.name
            for field in fields
            if field.kind != "derived"
            and not field.retired
            and (field.type != "state" or not self.filling.new)
            and (field.kind != "tally" or not self.filling.new)
            and (self.only is None or field.name in self.only)
            and field.name not in self.without
        ]

    def derived_fields(self) -> list[str]:
        """The fields that are shown as they follow from the answers, in the form's order."""
        return self.filling.derived_fields if self.only is None else []


class ActionRow(TextPanel, can_focus=True):
    """A line that does something when Enter is pressed on it."""

    def __init__(
        self,
        pen: LineWriter,
        words: Callable[[], str],
        act: Callable[[], None],
        *,
        drop: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(self._row_lines, classes="doing")
        self._pen, self._words, self.act, self._drop = pen, words, act, drop

    @property
    def can_drop(self) -> bool:
        """Whether Delete removes the row's object."""
        return self._drop is not None

    def _row_lines(self, width: int) -> list[Text]:
        return [self._pen.write_line([LinePart("  "), LinePart(self._words())], width)]

    def on_key(self, event: Key) -> None:
        """Delete takes a member out again."""
        if event.key in ("delete", "backspace") and self._drop is not None:
            event.stop()
            self._drop()


class TextRow(TextPanel):
    """A row of plain text."""

    def __init__(self, pen: LineWriter, words: str, style: str, *, inset: str = "", classes: str | None = None) -> None:
        super().__init__(
            lambda width: [pen.write_line([LinePart(inset), LinePart(words, style)], width)], classes=classes
        )


class NoteRow(TextPanel):
    """A note of the form: words between its questions, with the answers that they speak of."""

    def __init__(self, pen: LineWriter, filling: FormAnswers, name: str) -> None:
        super().__init__(self._note_lines, classes="note")
        self._pen, self.filling, self.note = pen, filling, name
        self.section = filling.kind.notes[name].section

    def _note_lines(self, width: int) -> list[Text]:
        return self._pen.wrap_parts([LinePart("  "), LinePart(self.filling.note_text(self.note))], width)


def note_rows(pen: LineWriter, sheet: QuestionSheet, questions: Iterable[str]) -> dict[str, list[NoteRow]]:
    """Return a sheet's notes by the question they precede; "" for the end."""
    if sheet.only is not None:
        return {}
    kind, asked = sheet.filling.kind, set(questions)
    found: dict[str, list[NoteRow]] = {}
    waiting: list[NoteRow] = []  # in front of a field that is not asked for
    for field in [*kind.fields, ""]:
        waiting += [NoteRow(pen, sheet.filling, name) for name, note in kind.notes.items() if note.before == field]
        if field in asked or not field:
            found[field], waiting = waiting, []
    return found


class DerivedRow(Horizontal):
    """A field that nobody answers: what follows from the answers, seen as soon as it is known."""

    def __init__(self, pen: LineWriter, filling: FormAnswers, field: Field) -> None:
        super().__init__()
        self._pen, self.filling, self.field = pen, filling, field
        self.words = ""

    def compose(self) -> ComposeResult:
        """Compose label and value; the label is at the start of the language's direction."""
        parts = [TextPanel(self._label_lines, classes="label"), TextPanel(self._value_lines, classes="follows")]
        yield from reversed(parts) if self._pen.mirrored else parts

    @property
    def section(self) -> str:
        """The section of the row."""
        return self.field.section

    def _label_lines(self, width: int) -> list[Text]:
        label = self.filling.label_of(self.field)
        # where a question has its mark
        return [self._pen.write_line([LinePart(label, QUIET), LinePart("  ")], width - 1)]

    def _value_lines(self, width: int) -> list[Text]:
        said = [LinePart("= ", QUIET), LinePart(self.words, GOOD)]
        if self._pen.out.form in TURNED:
            return self._pen.wrap_parts(said, width)
        return [self._pen.write_piece(said, width)]  # there answers stand at the left

    def show(self, words: str) -> None:
        """Show a value; nothing where it is not known."""
        if words != self.words:
            self.words = words
            for paper in self.query(".follows").results(TextPanel):
                paper.redraw()

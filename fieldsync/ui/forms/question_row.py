"""One question of a form on the screen: its label, answer, error and choices."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Size
from textual.message import Message
from textual.widget import AwaitMount, Widget
from textual.widgets import Input, TextArea

from fieldsync import errors
from fieldsync.core import names
from fieldsync.schema.label_placeholders import has_placeholders
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field
from fieldsync.schema.set_members import typed_members
from fieldsync.ui.forms import record_picker
from fieldsync.ui.forms.answers import FormAnswers, explained_type, length_limit, matching_choices, refusal_text
from fieldsync.ui.views import conflict_notice
from fieldsync.ui.widgets.inputs import TypedLine, TypedText
from fieldsync.ui.widgets.line_writer import ACCENT, BAD, GOOD, QUIET, WARN, LinePart, LineWriter
from fieldsync.ui.widgets.text_panels import TextPanel, Write

MOST_OPTIONS = 5  # lines of what there is to choose
_RECORDS = 20  # to choose from while a reference is typed
_BOOLS = ("yes", "no")


class AnswerOption(NamedTuple):
    """An answer to choose: its label and value."""

    words: str
    value: Any


class QuestionRow(Horizontal):
    """A field's row. Typed text is validated at once, and counts as soon as it is legal."""

    class MemberDropped(Message):
        """A set has lost its last member."""

    def __init__(self, pen: LineWriter, filling: FormAnswers, field: Field) -> None:
        super().__init__()
        self.pen, self.filling, self.field = pen, filling, field
        self.wrong = ""
        self.members: list[str] = list(filling.doc.get(field.name) or []) if field.kind == "set" else []
        self._chosen: tuple[str, Any] | None = None  # the words in the line, and what they stand for
        self._needed = False
        self._made = False  # whether its parts are there
        self._more = 0  # records beyond those that are offered
        self._text = self._words_of(filling.doc.get(field.name))

    def compose(self) -> ComposeResult:
        """Its parts, if it is asked: of a large form most questions never are."""
        if self.display:
            yield from self._make_parts()

    def show(self) -> AwaitMount | None:
        """Ask it, from now on; return what to wait for where its parts had to be made."""
        if not self.display:
            self.display = True
        return None if self._made else self.mount(*self._make_parts())

    def _make_parts(self) -> list[Widget]:
        """Compose label, set members and input; the label is at the start of the language's direction."""
        self._made = True
        label = TextPanel(self._label_lines, classes="label")
        line: Input | TextArea
        if self.field.type == "note" and self.field.kind in ("plain", "log"):
            line = TypedText(self.pen, self._text, classes="line")
        else:
            line = TypedLine(self.pen, self._text, classes="line", erased=self.drop_member)
        parts: list[Widget] = (
            [label, line]
            if self.field.kind != "set"
            else [label, _MembersPanel(self._member_lines, self._members_text), line]
        )
        return list(reversed(parts) if self.pen.mirrored else parts)

    @property
    def section(self) -> str:
        """The section of the row."""
        return self.field.section

    @property
    def input_line(self) -> Input | TextArea:
        """The text input."""
        return self.query_one(".line")  # type: ignore[return-value]  # the only one with this class

    @property
    def line_text(self) -> str:
        """The input's text."""
        if not self._made:
            return self._text
        line = self.input_line
        return line.value if isinstance(line, Input) else line.text

    def set_text(self, text: str) -> None:
        """Write into the line; nobody typed that, so nothing is judged."""
        if not self._made:
            self._text = text
            return
        line = self.input_line
        with line.prevent(Input.Changed, TextArea.Changed):
            if isinstance(line, Input):
                line.value = text
                line.cursor_position = len(text)
            else:
                line.text = text

    # --- what it shows ---

    def _label_lines(self, width: int) -> list[Text]:
        style = f"bold {BAD}" if self.wrong else ""
        mark = LinePart(" ✗", BAD) if self.wrong else LinePart(" *", ACCENT) if self._needed else LinePart("  ")
        label = self.filling.label_of(self.field)
        return [self.pen.write_line([LinePart(label, style or QUIET), mark], width - 1)]

    def _member_lines(self, width: int) -> list[Text]:
        words = self._members_text()
        return self.pen.wrap_parts(words, width) if words else []

    def _members_text(self) -> str:
        return self.pen.out.plain_words(self.filling.kind, self.field.name, self.members) if self.members else ""

    def mark_needed(self, needed: bool) -> None:
        """Show whether it is needed."""
        if needed is not self._needed or has_placeholders(label_in(self.field.label, self.filling.lang)):
            self._needed = needed
            for paper in self.query(".label").results(TextPanel):
                paper.redraw()

    def redraw(self) -> None:
        """Show the present error and set members."""
        for paper in self.query(".label").results(TextPanel):
            paper.redraw()
        for paper in self.query(".members").results(TextPanel):
            if paper.display is not bool(self.members):
                paper.display = bool(self.members)
            paper.redraw()

    def foot_text(self) -> LinePart:
        """The foot line of the question: error, warning, or hint."""
        if self.wrong and self.line_text.strip():
            more = "  " + self.pen.out.phrase("picker_more", n=self._more) if self._more else ""
            return LinePart(f"✗ {self.wrong}{more}", BAD)
        out = self.pen.out
        if (
            self.field.kind == "plain"
            and self.filling.doc.get(self.field.name) is not None
            and self.filling.looks_odd(self.field)
        ):
            return LinePart(out.phrase("odd", field=out.label(self.filling.kind, self.field.name)), WARN)
        there = self.filling.before.get(self.field.name)
        if self.field.kind in ("tally", "log") and there:
            n = there if isinstance(there, int) else len(there)
            return LinePart(out.phrase(f"form_{self.field.kind}", n=f"{n:,}"), QUIET)
        if self.filling.row is not None:
            standing = conflict_notice.conflict_line(out, self.filling.kind, self.filling.row, self.field.name)
            if standing:
                return LinePart(standing, WARN)
        hint = label_in(self.field.hint, self.filling.lang)
        kind = "form_pick" if self.filling.choices_of(self.field) else explained_type(self.field)
        if self.field.filter and kind != "form_pick":
            return LinePart(out.phrase("form_none_offered"), WARN)
        several = "  " + out.phrase("form_set") if self.field.kind == "set" else ""
        hint = self.filling.fill_label(hint) if hint else out.phrase(kind, n=length_limit(self.field))
        label = self.filling.label_of(self.field)
        whole = f"{label} — " if len(label) > _LABEL else ""  # beside its line it is cut
        return LinePart(whole + hint + several, QUIET)

    # --- what there is to choose ---

    def matching_options(self) -> Sequence[AnswerOption]:
        """The answers that match the typed text; all if it is empty, or an answer was chosen."""
        field, text = self.field, self.line_text.strip()
        chosen = self._chosen is not None and self._chosen[0] == text
        if field.type == "bool":
            pairs = [AnswerOption(self.pen.out.phrase(one), one == "yes") for one in _BOOLS]
            return [one for one in pairs if chosen or names.fold_text(text) in names.fold_text(one.words)]
        if field.type == "ref":
            return self._record_options("" if chosen else text)
        choices = self.filling.choices_of(field)
        return [
            AnswerOption(self.filling.fill_label(label_in(one.label, self.filling.lang, one.code)), one.code)
            for one in matching_choices(choices, "" if chosen else text)
        ]

    def _record_options(self, text: str) -> list[AnswerOption]:
        found = record_picker.RecordMatches([])
        if len(text) != 1:  # a letter finds nearly everybody
            found = record_picker.match_records(self.pen.out, self.filling, self.field, text, _RECORDS)
        self._more = found.more
        return [AnswerOption(one.words, one.record) for one in found.options]

    def marked_option(self, options: Sequence[AnswerOption]) -> int:
        """The answer that Enter accepts: the chosen one, the first match, or none (-1)."""
        text = self.line_text.strip()
        if not text:
            return -1
        if self._chosen is not None and self._chosen[0] == text:
            return next((at for at, one in enumerate(options) if one.value == self._chosen[1]), -1)
        return 0 if options else -1

    def choose_option(self, option: AnswerOption) -> bool:
        """Accept a chosen answer; return whether this question is finished."""
        if self.field.kind == "set":
            self.members = [one for one in self.members if one != option.value] + [option.value] * (
                option.value not in self.members
            )
            self.set_text("")
            self.judge_text()
            return False
        self.set_text(self._words_of(option.value))
        self.judge_text()
        return True

    def complete_text(self) -> None:
        """Write out the answer of which a part was typed, or that is written otherwise."""
        field, text = self.field, self.line_text.strip()
        if field.kind != "plain" or not text or self.wrong or not (field.choices or field.type in _WRITTEN_OUT):
            return
        value = self.filling.doc.get(field.name)
        if value is not None and (self._chosen is None or self._chosen[0] != text):
            self.set_text(self._words_of(value))

    def take_member(self) -> bool:
        """Add typed text to the set's members, if legal; return whether there was any."""
        text = self.line_text.strip()
        if self.field.kind != "set" or not text or self.wrong:
            return False
        self.members = list(self.filling.doc.get(self.field.name) or [])
        self.set_text("")
        self.redraw()
        return True

    def drop_member(self) -> None:
        """Take the last member out of a set."""
        if self.field.kind == "set" and self.members:
            self.members = self.members[:-1]
            self.judge_text()
            self.post_message(self.MemberDropped())

    # --- what is answered ---

    def judge_text(self) -> None:
        """Validate the input's text; legal text is the answer from now on."""
        self.wrong = ""
        text = self.line_text.strip()
        try:
            if not self._is_written_out(text):
                self.filling.set_answer(self.field, self._parse_text(text))
        except _AmbiguousText:
            self.wrong = self.pen.out.phrase("form_choose")
        except errors.FieldsyncError as fault:
            self.wrong = refusal_text(fault, self.filling.kind, self.filling.lang, self.filling.node)
        self.redraw()

    def _is_written_out(self, text: str) -> bool:
        """Return whether the line shows the answer as it is held: a year written out as a day stays a year."""
        held = self.filling.doc.get(self.field.name)
        return held is not None and self._chosen is not None and self._chosen == (text, held)

    def show_followed(self) -> None:
        """Show an answer set by another question: a year given as a date sets the date's precision."""
        if self.field.name in self.filling.given_along and not self._is_written_out(self.line_text.strip()):
            self.show_answer()

    def _parse_text(self, text: str) -> object:
        field = self.field
        if field.kind == "set":
            return [*self.members, *(self._parse_one(part) for part in typed_members(self.field, text))]
        if not text:
            return None
        return self._parse_one(text) if field.kind == "plain" else text

    def _parse_one(self, text: str) -> object:
        """Return the meaning of one answer; raise _AmbiguousText if there are several."""
        if self._chosen is not None and self._chosen[0] == text:
            return self._chosen[1]
        choices = self.filling.choices_of(self.field)
        if text in (one.code for one in choices):
            return text
        if choices:
            folded = names.fold_text(text)
            found = matching_choices(choices, text)
            exact = [
                one for one in found if folded in {names.fold_text(said) for said in (one.code, *one.label.values())}
            ]
            if len(exact or found) != 1:
                if found:
                    raise _AmbiguousText
                return text  # the form says why not
            return (exact or found)[0].code
        if self.field.type == "ref":
            try:
                return self.filling.find_reference(self.field, text)
            except errors.NoRecord:
                if self._record_options(text):
                    raise _AmbiguousText from None
                raise
        return text

    def _words_of(self, value: Any) -> str:
        """Return the input text for an existing answer."""
        if value is None or self.field.kind != "plain":
            return ""
        words = self.pen.out.plain_words(self.filling.kind, self.field.name, value)
        self._chosen = words.strip(), value
        return words if self.field.type == "note" else words.strip()

    def show_answer(self) -> None:
        """Show the stored answer: that of a resumed draft."""
        if self.field.kind == "set":
            self.members = list(self.filling.doc.get(self.field.name) or [])
        elif self.field.kind == "plain":
            self.set_text(self._words_of(self.filling.doc.get(self.field.name)))
        else:
            held = self.filling.logs if self.field.kind == "log" else self.filling.counts
            self.set_text(str(held.get(self.field.name, "")))
        self.redraw()


class _MembersPanel(TextPanel):
    """The members of a set, as wide as their labels and no wider than the available space."""

    def __init__(self, write: Write, words: Callable[[], str]) -> None:
        super().__init__(write, classes="members")
        self._words = words

    def redraw(self) -> None:
        """Have it written again, in a place as wide as it needs now."""
        super().redraw()
        self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002 - the library's
        """Return the width of the content."""
        return cell_len(self._words())


class _AmbiguousText(Exception):
    """The typed text matches several answers."""


_LABEL = 24  # characters of a label that are surely seen beside its line
_WRITTEN_OUT = ("bool", "ref", "date", "month", "phone")


def option_lines(
    pen: LineWriter, width: int, question: QuestionRow | None, options: Sequence[AnswerOption], marked: int
) -> list[Text]:
    """Return the lines of a question's options that are around the marked one."""
    start = max(0, min(marked - MOST_OPTIONS // 2, len(options) - MOST_OPTIONS))
    lines = []
    for at, option in list(enumerate(options))[start : start + MOST_OPTIONS]:
        chosen = question is not None and question.field.kind == "set" and option.value in question.members
        parts = [
            LinePart(" ▸ " if at == marked else "   ", ACCENT),
            LinePart("✓ " if chosen else "", GOOD),
            LinePart(option.words, "bold" if at == marked else ""),
        ]
        lines.append(pen.write_line(parts, width))
    return lines

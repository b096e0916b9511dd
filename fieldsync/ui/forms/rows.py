"""What a form is made of beside its questions: the sheet of one record, what follows from the answers, lines that do something."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key

from fieldsync.schema.model import Field
from fieldsync.ui.forms.answers import Filling
from fieldsync.ui.widgets.input_cells import TURNED
from fieldsync.ui.widgets.line_writer import GOOD, QUIET, Part, Pen
from fieldsync.ui.widgets.text_panels import TextPanel


@dataclass
class Sheet:
    """Questions of one record; `only` these fields, or all that are asked for."""

    filling: Filling
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()

    def fields(self) -> list[str]:
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

    def derived(self) -> list[str]:
        """The fields that are shown as they follow from the answers, in the form's order."""
        return self.filling.follow if self.only is None else []


class ActionRow(TextPanel, can_focus=True):
    """A line that does something when Enter is pressed on it."""

    def __init__(
        self, pen: Pen, words: Callable[[], str], act: Callable[[], None], *, drop: Callable[[], None] | None = None
    ) -> None:
        super().__init__(self._written, classes="doing")
        self._pen, self._words, self.act, self._drop = pen, words, act, drop

    @property
    def drops(self) -> bool:
        """Whether Delete takes away what it stands for."""
        return self._drop is not None

    def _written(self, width: int) -> list[Text]:
        return [self._pen.line([Part("  "), Part(self._words())], width)]

    def on_key(self, event: Key) -> None:
        """Delete takes a member out again."""
        if event.key in ("delete", "backspace") and self._drop is not None:
            event.stop()
            self._drop()


class TextRow(TextPanel):
    """A line that only says something."""

    def __init__(self, pen: Pen, words: str, style: str, *, inset: str = "", classes: str | None = None) -> None:
        super().__init__(lambda width: [pen.line([Part(inset), Part(words, style)], width)], classes=classes)


class DerivedRow(Horizontal):
    """A field that nobody answers: what follows from the answers, seen as soon as it is known."""

    def __init__(self, pen: Pen, filling: Filling, field: Field) -> None:
        super().__init__()
        self._pen, self.filling, self.field = pen, filling, field
        self.words = ""

    def compose(self) -> ComposeResult:
        """Label and value; the label stands where the language begins."""
        parts = [TextPanel(self._label, classes="label"), TextPanel(self._value, classes="follows")]
        yield from reversed(parts) if self._pen.mirrored else parts

    def _label(self, width: int) -> list[Text]:
        label = self.filling.label(self.field)
        return [self._pen.line([Part(label, QUIET), Part("  ")], width - 1)]  # where a question has its mark

    def _value(self, width: int) -> list[Text]:
        said = [Part("= ", QUIET), Part(self.words, GOOD)]
        if self._pen.out.form in TURNED:
            return self._pen.lines(said, width)
        return [self._pen.piece(said, width)]  # there answers stand at the left

    def show(self, words: str) -> None:
        """Show a value; nothing where it is not known."""
        if words != self.words:
            self.words = words
            for paper in self.query(".follows").results(TextPanel):
                paper.renew()

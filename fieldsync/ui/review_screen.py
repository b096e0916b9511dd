"""Deciding on a full screen: the queue, one question with all its sides next to each other, and a key for whatever may be done."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.events import Key
from textual.screen import Screen

from fieldsync import errors
from fieldsync.core import names
from fieldsync.sync import queue
from fieldsync.sync import review as reviews
from fieldsync.sync.history import history
from fieldsync.sync.node import Node
from fieldsync.sync.queue import Waiting
from fieldsync.ui import alike, dialogs
from fieldsync.ui.filling import refused
from fieldsync.ui.matters import Matter, matter_of, told_history
from fieldsync.ui.narrowing import Narrowed, facets, words
from fieldsync.ui.other_value import ask_value
from fieldsync.ui.pair_matters import matter_of_pair
from fieldsync.ui.papers import Paper, Rows, keys
from fieldsync.ui.pen import ACCENT, BAD, GOOD, QUIET, WARN, Part, Pen
from fieldsync.ui.sides import draw_about, draw_sides
from fieldsync.ui.tables import Tables


@dataclass
class Done:
    """What was decided last, and where it stood in the queue."""

    taken: list[tuple[int, Waiting]]
    decided: list[tuple[str, str]]  # record, field
    undo: Callable[[], object] | None = None  # of a pair


class ReviewScreen(Screen[None]):
    """The one screen of `review`."""

    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]  # noqa: RUF012 - the library's own word
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(pressed, action, show=False)
        for pressed, action in (
            ("down,j,ت,s,س,space", "go(1)"),
            ("up,k,ن", "go(-1)"),
            ("ctrl+home,home", "go(-1000000)"),
            ("ctrl+end,end", "go(1000000)"),
            ("right,tab", "side(1)"),
            ("left,shift+tab", "side(-1)"),
            ("pagedown", "scroll(8)"),
            ("pageup", "scroll(-8)"),
            ("enter", "take"),
            ("e,ث,t,ف", "edit"),
            ("n,ى", "note"),
            ("u,ع", "undo"),
            ("h,ا", "history"),
            ("f,ب", "filter"),
            ("a,ش", "alike"),
            ("question_mark,؟", "help"),
            ("q,ض,escape,ctrl+c", "quit"),
        )
    ]

    def __init__(self, node: Node, out: Tables, narrowed: Narrowed, pairs: Sequence[Waiting] = ()) -> None:
        super().__init__()
        self.node, self.out, self.pen = node, out, Pen(out)
        self.pairs = list(pairs)
        self._narrow(narrowed)
        self._matter: Matter | None = None
        self._side = 1
        self._note = ""
        self._done: list[Done] = []
        self.decided = 0
        self._said: Part = Part("")
        self._busy = False

    def _narrow(self, narrowed: Narrowed) -> None:
        self._narrowed = narrowed
        conflicts = queue.waiting(self.node, **vars(narrowed))
        self._waiting = sorted([*conflicts, *filter(narrowed.has, self.pairs)], key=lambda one: one[:4])

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        """Head, queue, question, last word, keys."""
        yield Paper(self._head, id="head")
        with Container(id="body"):
            yield Rows(self._row, id="queue", centred=True)
            with VerticalScroll(id="matter", can_focus=False):
                yield Paper(self._question, id="question")
                yield Paper(self._sides, id="sides")
                yield Paper(self._about, id="about")
        yield Paper(self._last_word, id="said")
        yield Paper(self._keys, id="keys")

    def on_mount(self) -> None:
        """Begin with the most urgent."""
        self._open(0)

    @property
    def _at(self) -> int:
        return self.query_one("#queue", Rows).at

    def _open(self, at: int) -> None:
        """Show the question at a place; one that others have settled meanwhile falls out of the queue."""
        rows = self.query_one("#queue", Rows)
        rows.show(len(self._waiting), at)
        self._matter = None
        while self._waiting and self._matter is None:
            one = self._waiting[rows.at]
            self._matter = (matter_of if one.kind == queue.CONFLICT else matter_of_pair)(self.node, self.out, one)
            if self._matter is None:
                del self._waiting[rows.at]
                rows.show(len(self._waiting), rows.at)
        self._side = min(1, len(self._matter.sides) - 1) if self._matter is not None else 0
        self.query_one("#matter", VerticalScroll).scroll_home(animate=False)
        self._renew()

    def _renew(self) -> None:
        for paper in self.query(Paper):
            paper.renew()
        self.query_one("#queue", Rows).refresh()

    def _say(self, text: str, style: str = GOOD) -> None:
        self._said = Part(text, style)
        self.query_one("#said", Paper).renew()

    def _head(self, width: int) -> list[Text]:
        total = len(self._waiting)
        place = self.out.phrase("review_place", n=f"{self._at + 1:,}", total=f"{total:,}") if total else "0"
        parts = [Part(" " + self.out.phrase("review_title"), "bold"), Part(f"   {place}", ACCENT)]
        if self.decided:
            parts.append(Part("   " + self.out.phrase("review_decided", n=f"{self.decided:,}"), GOOD))
        shown = words(self.node, self.out, self._narrowed, self._waiting)
        if shown:
            parts.append(Part(f"   ⧩ {shown}", WARN))
        return [self.pen.line(parts, width)]

    def _row(self, index: int, width: int, chosen: bool) -> Text:
        one = self._waiting[index]
        kind = self.node.schema.types.get(one.type)
        name = kind.label.get(self.out.lang, one.type) if kind is not None else one.type
        code = (one.code or one.record.hex()[:8]).ljust(14)
        label = self.out.label(kind, one.field) if one.kind == queue.CONFLICT else self.out.phrase(f"queue_{one.kind}")
        style = "bold" if chosen else QUIET
        mark = ("◂ " if self.pen.mirrored else "▸ ") if chosen else "  "
        parts = [Part(mark, ACCENT), Part(code, style), Part(" "), Part(label, style)]
        if width > 60:
            parts += [Part(f"  {name}", QUIET), Part(f"  {one.unit}", QUIET)]
        return self.pen.line(parts, width)

    def _question(self, width: int) -> list[Text]:
        matter = self._matter
        if matter is None:
            told = "review_filtered_empty" if self._narrowed.anything else "no_conflicts"
            return [Text(), *self.pen.lines(self.out.phrase(told), width, style=GOOD)]
        title = [Part(matter.title, f"bold {ACCENT}"), Part("   "), Part(matter.why, QUIET)]
        return [self.pen.line(matter.heading, width, style="bold"), *self.pen.lines(title, width, most=2)]

    def _sides(self, width: int) -> list[Text]:
        return draw_sides(self.pen, self._matter, width, self._side) if self._matter is not None else []

    def _about(self, width: int) -> list[Text]:
        return draw_about(self.pen, self._matter.about, width) if self._matter is not None else []

    def _last_word(self, width: int) -> list[Text]:
        if self._note:
            return [self.pen.line([Part(" ✎ ", ACCENT), Part(self._note, "italic")], width)]
        return [self.pen.line([Part(" "), self._said], width)]

    def _keys(self, width: int) -> list[Text]:
        named = [
            ("1-9", "key_take"), ("e", "key_edit"), ("n", "key_note"), ("s", "key_skip"), ("u", "key_undo"), ("h", "key_history"),
            ("f", "key_filter"), ("a", "key_alike"), ("?", "key_help"), ("q", "key_quit"),
        ]  # fmt: skip
        return keys(self.pen, [(key, self.out.phrase(word)) for key, word in named], width, f"bold {ACCENT}", QUIET)

    # --- one thing at a time ---

    def _ask(self, flow: Callable[[], Awaitable[None]]) -> None:
        """Go through questions; until their end no key counts here: what was typed ahead was meant for them."""

        async def run() -> None:
            try:
                await flow()
            finally:
                self._busy = False

        self._busy = True
        self.run_worker(run())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:  # noqa: ARG002 - the library's
        """Say whether a key counts here now."""
        return not self._busy and self.is_current

    # --- moving ---

    def action_go(self, steps: int) -> None:
        """The next question, or another."""
        self._note = ""
        if self.query_one("#queue", Rows).move(steps):
            self._said = Part("")
            self._open(self._at)

    def action_side(self, steps: int) -> None:
        """Choose another side."""
        if self._matter is not None:
            steps = -steps if self.pen.mirrored else steps
            self._side = (self._side + steps) % len(self._matter.sides)
            self.query_one("#sides", Paper).renew()

    def action_scroll(self, lines: int) -> None:
        """Read on in the record."""
        self.query_one("#matter", VerticalScroll).scroll_relative(y=lines, animate=False)

    # --- deciding ---

    def on_key(self, event: Key) -> None:
        """A digit, in either script, takes that side."""
        digit = names.plain(event.character or "")
        if len(digit) == 1 and digit.isdecimal() and self._matter is not None and self.check_action("take", ()):
            event.stop()
            if int(digit) < len(self._matter.sides):
                self._take(int(digit))

    def action_take(self) -> None:
        """Take the side that is marked."""
        self._take(self._side)

    def _take(self, side: int) -> None:
        matter = self._matter
        if matter is None or side >= len(matter.sides):
            return
        taken = matter.sides[side]
        if taken.decision is not None:
            told = "".join(part.text for part in taken.value)
            self._decide([taken.decision], [self._at], f"✓ {matter.title}: {told}")
        elif taken.act is not None:
            try:
                undo = taken.act(self._note or None)
            except errors.FieldsyncError as fault:
                self._refused(fault)
                return
            self.pairs.remove(self._waiting[self._at])
            self._decided([], [self._at], f"✓ {matter.title}: {taken.name}", undo=undo)

    def _decide(self, decisions: Sequence[reviews.Decision], places: Sequence[int], told: str) -> None:
        try:
            reviews.take_all(self.node, decisions, note=self._note)
        except errors.FieldsyncError as fault:
            self._refused(fault)
            return
        self._decided(decisions, places, told)

    def _decided(
        self,
        decisions: Sequence[reviews.Decision],
        places: Sequence[int],
        told: str,
        *,
        undo: Callable[[], object] | None = None,
    ) -> None:
        at = self._at
        taken = [(place, self._waiting[place]) for place in places]
        gone = set(places)
        self._waiting = [one for place, one in enumerate(self._waiting) if place not in gone]
        self._done.append(Done(taken, [(one.record, one.field) for one in decisions], undo))
        self.decided += len(places)
        self._note = ""
        self._said = Part(told, GOOD)
        self._open(at - sum(place < at for place in places))

    def _refused(self, fault: errors.FieldsyncError) -> None:
        kind = self._matter.kind if self._matter is not None else None
        told = refused(fault, kind, self.out.lang, self.node)
        self._say(f"✗ {told}", BAD)

    def action_undo(self) -> None:
        """Take back what was decided last, and go there."""
        if not self._done:
            self._say(self.out.phrase("review_no_undo"), WARN)
            return
        last = self._done[-1]
        try:
            if last.undo is not None:
                last.undo()
            else:
                reviews.undo_all(self.node, last.decided)
        except errors.FieldsyncError as fault:
            self._refused(fault)
            return
        self._done.pop()
        for place, one in last.taken:  # in the order in which they stood
            self._waiting.insert(place, one)
            if one.kind != queue.CONFLICT:
                self.pairs.append(one)
        self.decided -= len(last.taken)
        self._said = Part(self.out.phrase("review_undone"), GOOD)
        self._open(last.taken[0][0])

    def action_edit(self) -> None:
        """Type another value, judged by the form while it is typed; choices are chosen."""
        self._ask(self._edit_asked)

    async def _edit_asked(self) -> None:
        matter = self._matter
        if matter is None or not matter.editable:
            return
        value = await ask_value(self.app, self.node, self.pen, matter)
        if value is not None:
            decision = reviews.Decision(matter.record, matter.item["field"], value=value)
            shown = self.out.shown(matter.kind, matter.item["field"], value)
            self._decide([decision], [self._at], f"✓ {matter.title}: {shown}")

    def action_note(self) -> None:
        """Write why, for whoever reads the history."""
        self._ask(self._note_asked)

    async def _note_asked(self) -> None:
        if self._matter is not None:
            title = self.out.phrase("review_note_title")
            note = await self.app.push_screen_wait(dialogs.Ask(self.pen, title, value=self._note))
            if note is not None:
                self._note = note.strip()
                self._renew()

    # --- many at once ---

    def action_alike(self) -> None:
        """Decide all conflicts of this field by one rule, after looking at every record that this touches."""
        self._ask(self._alike_asked)

    async def _alike_asked(self) -> None:
        if self._matter is None:
            return
        if self._waiting[self._at].kind != queue.CONFLICT:
            self._say(self.out.phrase("review_pairs_singly"), WARN)
            return
        many = await alike.chosen(self.app, self.node, self.out, self.pen, self._waiting, self._at, self._say)
        if many is None:
            return
        self._say(self.out.phrase("review_deciding"), WARN)
        try:
            await asyncio.to_thread(reviews.take_all, self.node, many.decisions, note=self._note)
        except errors.FieldsyncError as fault:
            self._refused(fault)
            return
        self._decided(many.decisions, many.places, self.out.phrase("review_bulk", n=f"{len(many.places):,}"))

    # --- the rest ---

    def action_filter(self) -> None:
        """Narrow the queue to a type, a field, or a unit; each with how many it leaves."""
        self._ask(self._filter_asked)

    async def _filter_asked(self) -> None:
        found = facets(self.node, self.out, self._narrowed)
        title = self.out.phrase("review_filter")
        chosen = await self.app.push_screen_wait(dialogs.Pick(self.pen, title, [told for told, _ in found]))
        if chosen is not None:
            self._narrow(found[chosen][1])
            self._done.clear()  # places in the queue are others now
            self._said = Part("")
            self._open(0)

    def action_history(self) -> None:
        """Show who changed what in this record, the newest first."""
        matter = self._matter
        if matter is None:
            return
        paragraphs = told_history(self.out, matter.kind, history(self.node, matter.record))
        self.app.push_screen(dialogs.Told(self.pen, matter.heading, paragraphs))

    def action_help(self) -> None:
        """Say what every key does."""
        lines = self.out.phrase("review_help").split("\n")
        self.app.push_screen(dialogs.Told(self.pen, self.out.phrase("review_title"), [[Part(line)] for line in lines]))

    def action_quit(self) -> None:
        """Leave; what was decided is saved already."""
        self.app.exit()

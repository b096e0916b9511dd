"""A form on a full screen: its questions in sections, judged while one types, those asked for that the answers call for."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Input, TextArea

from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.ui.forms.question import MOST_OPTIONS, Option, Question, option_lines
from fieldsync.ui.forms.roster import Member, Roster, asked_of_tie, documents, new_member, those_there
from fieldsync.ui.forms.rows import ActionRow, DerivedRow, Sheet, TextRow
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import ChoiceDialog
from fieldsync.ui.widgets.full_screen_app import OneAtATime
from fieldsync.ui.widgets.line_writer import ACCENT, BAD, GOOD, QUIET, Part, Pen
from fieldsync.ui.widgets.text_panels import TextPanel, keys


class FormScreen(OneAtATime[bool]):
    """One form; ends with True when it was saved or accepted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "down(1)", show=False, priority=True),
        Binding("up", "down(-1)", show=False, priority=True),
        Binding("enter", "enter", show=False, priority=True),
        Binding("tab", "field(1)", show=False, priority=True),
        Binding("shift+tab", "field(-1)", show=False, priority=True),
        Binding("ctrl+s,f2", "save", show=False, priority=True),
        Binding("escape", "leave", show=False),
    ]

    def __init__(
        self, node: Node, out: Tables, title: str, sheets: Sequence[Sheet], *, roster: Roster | None = None
    ) -> None:
        super().__init__()
        self.node, self.out, self.pen = node, out, Pen(out)
        self.title_words = title
        self.sheets = list(sheets)
        self.roster = roster
        self.members: list[Member] = []
        self.entering: Member | None = None  # a new one, which is not among them yet
        self._begun_with = [sheet.filling.held() for sheet in sheets]
        self.questions = [
            Question(self.pen, sheet.filling, sheet.filling.kind.fields[name])
            for sheet in sheets
            for name in sheet.fields()
        ]
        self._missing: dict[int, frozenset[str]] = {}  # by sheet: what is still needed
        self._option = -1
        self._options: Sequence[Option] = ()
        self._said: Part | None = None

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        """Head, questions with their sections, foot, keys."""
        yield TextPanel(self._head, id="head")
        with VerticalScroll(id="form", can_focus=False):
            section: tuple[int, str] | None = None
            for row in self._rows():
                here = id(row.filling), row.field.section
                if here != section:
                    section = here
                    yield TextRow(self.pen, self._section(row), f"bold {ACCENT}", classes="section")
                yield row
            yield Vertical(id="members")
            yield ActionRow(self.pen, lambda: self.out.phrase("form_done"), self._save)
        yield TextPanel(self._foot, id="foot")
        yield TextPanel(self._keys, id="keys")

    def _rows(self) -> Iterator[Question | DerivedRow]:
        """The questions of each sheet, and at the end of a section what follows from its answers."""
        for sheet in self.sheets:
            mine = [one for one in self.questions if one.filling is sheet.filling]
            follow = [DerivedRow(self.pen, sheet.filling, sheet.filling.kind.fields[name]) for name in sheet.derived()]
            last = {one.field.section: one for one in mine}
            for question in mine:
                yield question
                if last[question.field.section] is question:
                    yield from (one for one in follow if one.field.section == question.field.section)
            yield from (one for one in follow if one.field.section not in last)

    def _section(self, row: Question | DerivedRow) -> str:
        kind = row.filling.kind
        title = label_in(kind.sections.get(row.field.section, {}), self.out.lang)
        return row.filling.words(title) if title else label_in(kind.label, self.out.lang, kind.name)

    def on_mount(self) -> None:
        """Begin with the first question."""
        self.show_members()
        for question in self.questions:
            question.renew()
        self._answered()
        if (first := next((one for one in self.questions if one.display), None)) is not None:
            first.line.focus()

    def ask_what_is_asked(self) -> None:
        """Show the questions that the answers call for, and the sections that have any."""
        asked = {(id(sheet.filling), name) for sheet in self.sheets for name in sheet.filling.asked()}
        shown: dict[Widget, bool] = {}
        section: Widget | None = None
        for child in self.query_one("#form").children:
            if isinstance(child, Question | DerivedRow):
                known = isinstance(child, DerivedRow) and child.words != ""
                shown[child] = known or (id(child.filling), child.field.name) in asked
                if section is not None and shown[child]:
                    shown[section] = True
            elif child.has_class("section"):
                section = child
                shown[child] = False
        for widget, display in shown.items():
            if widget.display is not display:
                widget.display = display

    def show_members(self) -> None:
        """List the members, with a line to add one."""
        place = self.query_one("#members")
        place.remove_children()
        place.display = self.roster is not None
        if self.roster is None:
            return
        title = label_in(self.roster.being.plural, self.out.lang, self.roster.being.name)
        there = [
            TextRow(self.pen, told, QUIET, inset="  ") for told in those_there(self.roster, self.sheets[0].filling)
        ]
        new = [
            ActionRow(self.pen, one.words, partial(self._open, one), drop=partial(self._drop, one))
            for one in self.members
        ]
        more = ActionRow(self.pen, lambda: self.out.phrase("form_add_member"), partial(self._open, None))
        place.mount(TextRow(self.pen, title, f"bold {ACCENT}", classes="section"), *there, *new, more)

    def _head(self, width: int) -> list[Text]:
        parts = [Part(f" {self.title_words}", "bold")]
        missing = sum(1 for one in self.questions if one.display and self._is_missing(one))
        parts.append(Part("   " + self.out.phrase("form_missing", n=missing), QUIET) if missing else Part("   ✓", GOOD))
        return [self.pen.line(parts, width)]

    def _foot(self, width: int) -> list[Text]:
        question = self._here()
        said = self._said or (question.said() if question is not None else Part(""))
        if self._said is None and isinstance(self.focused, ActionRow) and self.focused.drops:
            said = Part(self.out.phrase("member_keys"), QUIET)
        lines = self.pen.lines([Part(" "), said], width, most=2)
        lines += option_lines(self.pen, width, question, self._options, self._option)
        return (lines + [Text()] * (MOST_OPTIONS + 1))[: MOST_OPTIONS + 1]

    def _keys(self, width: int) -> list[Text]:
        pairs = [
            ("Enter", "key_next"),
            ("↑↓", "key_choose"),
            ("Tab", "key_field"),
            ("Ctrl-S", "key_save"),
            ("Esc", "key_leave"),
        ]
        return keys(self.pen, [(key, self.out.phrase(word)) for key, word in pairs], width, f"bold {ACCENT}", QUIET)

    def _here(self) -> Question | None:
        focused = self.focused
        return focused.parent if focused is not None and isinstance(focused.parent, Question) else None

    def say(self, text: str, style: str = BAD) -> None:
        """Say something at the foot until the next key."""
        self._said = Part(text, style)
        self.query_one("#foot", TextPanel).renew()

    def _look(self) -> None:
        """Bring the foot in line with the question that one is at."""
        question = self._here()
        self._options = question.options() if question is not None else ()
        self._option = question.marked(self._options) if question is not None else -1
        self._said = None
        self.query_one("#foot", TextPanel).renew()

    # --- answering ---

    @on(DescendantFocus)
    def came(self) -> None:
        """Another question."""
        self._look()

    @on(Input.Changed)
    @on(TextArea.Changed)
    def typed(self, event: Input.Changed | TextArea.Changed) -> None:
        """Judge what is typed, and ask what follows from it."""
        event.stop()
        line = event.control
        if isinstance(line.parent, Question):
            line.parent.answer()
            self._answered()
            if line.parent is self._here():
                self._look()

    def _answered(self) -> None:
        self._missing = {id(sheet.filling): frozenset(sheet.filling.missing()) for sheet in self.sheets}
        self._follow()
        self.ask_what_is_asked()
        for question in self.questions:
            question.follow()
            question.need(question.field.required == "always" or self._is_missing(question))
        self.query_one("#head", TextPanel).renew()

    def _follow(self) -> None:
        """Show what follows from the answers, and from the members."""
        self.sheets[0].filling.around.also = documents(self.roster, self.members)
        known = {id(sheet.filling): sheet.filling.derived() for sheet in self.sheets if sheet.derived()}
        for row in self.query(DerivedRow):
            value = known[id(row.filling)].get(row.field.name)
            row.show("" if value is None else self.out.shown(row.filling.kind, row.field.name, value))

    def _is_missing(self, question: Question) -> bool:
        return question.field.name in self._missing.get(id(question.filling), ())

    async def _caught_up(self) -> None:
        """Wait until all that was typed has arrived: on a slow line letters and the keys behind them come in one piece.

        The keys that leave a question come before the letters' own way through the question; so they wait for them.
        """
        node = self.focused
        while node is not None:
            done = asyncio.Event()
            node.call_later(done.set)
            await done.wait()
            if node is self:
                break
            node = node.parent  # type: ignore[assignment]  # up to this screen all are widgets

    async def action_enter(self) -> None:
        """Take the marked answer, or what is typed, and go on; on a line that does something, do it."""
        await self._caught_up()
        question, focused = self._here(), self.focused
        if isinstance(focused, ActionRow):
            focused.act()
        elif isinstance(focused, TextArea):
            focused.insert("\n")
        elif question is not None:
            if self._entered(question):
                question.complete()
                self.focus_next()
            else:
                self._look()
        await self._caught_up()

    def _entered(self, question: Question) -> bool:
        """Take an answer; say whether that question is done."""
        done = True
        if 0 <= self._option < len(self._options):
            done = question.choose(self._options[self._option])
        elif question.take_member():
            done = False
        self._answered()
        return done

    async def action_field(self, steps: int) -> None:
        """Go to the next question, or the one before."""
        await self._caught_up()
        if (question := self._here()) is not None:
            question.complete()
        if steps > 0:
            self.focus_next()
        else:
            self.focus_previous()
        await self._caught_up()

    async def action_down(self, steps: int) -> None:
        """Mark another answer where there are some, else go to another question."""
        await self._caught_up()
        if isinstance(self.focused, TextArea):
            move = self.focused.action_cursor_down if steps > 0 else self.focused.action_cursor_up
            move()
            return
        if self._options:
            self._option = (
                (self._option + steps) % len(self._options)
                if self._option >= 0 or steps > 0
                else len(self._options) - 1
            )
            self.query_one("#foot", TextPanel).renew()
        else:
            await self.action_field(steps)

    @on(Question.Dropped)
    def dropped(self) -> None:
        """A set has lost a member."""
        self._answered()
        self._look()

    # --- members ---

    def _open(self, member: Member | None) -> None:
        self.ask(partial(self._open_asked, member))

    async def _open_asked(self, member: Member | None) -> None:
        """Fill in a member, a new one or one of the list."""
        if self.roster is None:
            return
        one = member or new_member(self.node, self.roster, self.out.lang)
        title = label_in(self.roster.being.label, self.out.lang, self.roster.being.name)
        sheets = [
            Sheet(one.tie, frozenset(field.name for field in asked_of_tie(self.roster))),
            Sheet(one.being, without=frozenset({str(self.roster.being.belongs_to)})),
        ]
        before = [(sheet.filling, sheet.filling.held()) for sheet in sheets]
        self.entering = one if member is None else None
        accepted = await self.app.push_screen_wait(FormScreen(self.node, self.out, title, sheets))
        self.entering = None
        if accepted and member is None:
            self.members.append(one)
        for filling, held in before if not accepted else ():
            filling.put_back(held)
        self._listed()

    def _listed(self) -> None:
        self._answered()
        self.show_members()
        self.call_after_refresh(self._to_adding)

    def _to_adding(self) -> None:
        line = list(self.query_one("#members").query(ActionRow))[-1]
        line.focus(scroll_visible=False)  # the library would scroll as well, and either of them last
        self.call_after_refresh(line.scroll_visible, animate=False)  # it may have been placed only now

    def _drop(self, member: Member) -> None:
        self.ask(partial(self._drop_asked, member))

    async def _drop_asked(self, member: Member) -> None:
        """Take a member out of the list, if that is meant: all that was typed of it goes."""
        answers = [("Enter", "enter", "member_drop"), ("Esc", "escape", "key_leave")]
        asked = ChoiceDialog(self.pen, self.out.phrase("member_out", name=member.words()), answers)
        if await self.app.push_screen_wait(asked) == "Enter":
            self.members.remove(member)
            self._listed()

    # --- the end ---

    def wrong(self) -> Question | None:
        """The first question whose answer cannot be taken."""
        return next((one for one in self.questions if one.display and one.wrong), None)

    async def action_save(self) -> None:
        """Accept the form, unless an answer is wrong: then go there."""
        await self._caught_up()
        self._save()

    def _save(self) -> None:
        wrong = self.wrong()
        if wrong is not None:
            wrong.line.focus()
            self.call_after_refresh(lambda: self.say(f"✗ {wrong.wrong}"))
            return
        self.finish()

    def finish(self) -> None:
        """What follows when all is legal."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Leave without accepting it; nothing that was typed is thrown away unasked."""
        self.ask(self._leave_asked)

    async def _leave_asked(self) -> None:
        same = [sheet.filling.held() for sheet in self.sheets] == self._begun_with
        if same and not any(one.wrong and one.text.strip() for one in self.questions):
            self.dismiss(False)
            return
        answers = [("Enter", "enter", "member_keep"), ("x", "ء", "draft_drop"), ("Esc", "escape", "draft_go_on")]
        answer = await self.app.push_screen_wait(ChoiceDialog(self.pen, self.out.phrase("member_leave"), answers))
        if answer == "Enter":
            self._save()
        elif answer == "x":
            self.dismiss(False)

"""A full-screen form: questions in sections, validated while typing; questions appear as the answers require."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.widget import AwaitMount, Widget
from textual.widgets import Input, TextArea

from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.ui.forms.form_rows import FormRow, list_rows
from fieldsync.ui.forms.question_row import MOST_OPTIONS, AnswerOption, QuestionRow, option_lines
from fieldsync.ui.forms.roster import Roster, RosterMember, member_documents, new_member, present_members, tie_fields
from fieldsync.ui.forms.rows import ActionRow, DerivedRow, NoteRow, QuestionSheet, TextRow
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import ChoiceDialog
from fieldsync.ui.widgets.full_screen_app import DialogScreen
from fieldsync.ui.widgets.line_writer import ACCENT, BAD, GOOD, QUIET, LinePart, LineWriter
from fieldsync.ui.widgets.text_panels import TextPanel, key_lines


class FormScreen(DialogScreen[bool]):
    """One form; ends with True if it was saved or accepted."""

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
        self, node: Node, out: Tables, title: str, sheets: Sequence[QuestionSheet], *, roster: Roster | None = None
    ) -> None:
        super().__init__()
        self.node, self.out, self.pen = node, out, LineWriter(out)
        self.title_words = title
        self.sheets = list(sheets)
        self.roster = roster
        self.members: list[RosterMember] = []
        self.entering: RosterMember | None = None  # a new one, which is not among them yet
        self._begun_with = [sheet.filling.copy_answers() for sheet in sheets]
        self.questions = [
            QuestionRow(self.pen, sheet.filling, sheet.filling.kind.fields[name])
            for sheet in sheets
            for name in sheet.asked_fields()
        ]
        self._missing: dict[int, frozenset[str]] = {}  # by sheet: what is still needed
        self._option = -1
        self._options: Sequence[AnswerOption] = ()
        self._said: LinePart | None = None
        self._mounting: list[AwaitMount] = []  # lines of questions that are asked from now on

    # --- what is seen ---

    def compose(self) -> ComposeResult:
        """Head, questions with their sections, foot, keys."""
        yield TextPanel(self._head_lines, id="head")
        with VerticalScroll(id="form", can_focus=False):
            section: tuple[int, str] | None = None
            for row in list_rows(self.pen, self.sheets, self.questions):
                here = id(row.filling), row.section
                if here != section:
                    section = here
                    yield TextRow(self.pen, self._section_of(row), f"bold {ACCENT}", classes="section")
                yield row
            yield Vertical(id="members")
            yield ActionRow(self.pen, lambda: self.out.phrase("form_done"), self._start_save)
        yield TextPanel(self._foot_lines, id="foot")
        yield TextPanel(self._key_lines, id="keys")

    def _section_of(self, row: FormRow) -> str:
        kind = row.filling.kind
        title = label_in(kind.sections.get(row.section, {}), self.out.lang)
        return row.filling.fill_label(title) if title else label_in(kind.label, self.out.lang, kind.name)

    def on_mount(self) -> None:
        """Begin with the first question."""
        self.show_members()
        for question in self.questions:
            question.redraw()
        self._answer_changed()
        if (first := next((one for one in self.questions if one.display), None)) is not None:
            first.input_line.focus()

    def show_questions(self) -> None:
        """Show the questions that the answers call for, and the sections that have any."""
        asked = {(id(sheet.filling), name) for sheet in self.sheets for name in sheet.filling.fields_to_ask()}
        noted = {(id(s.filling), one) for s in self.sheets for some in s.filling.notes_shown().values() for one in some}
        shown: dict[Widget, bool] = {}
        section: Widget | None = None
        for child in self.query_one("#form").children:
            if isinstance(child, QuestionRow | DerivedRow | NoteRow):
                if isinstance(child, NoteRow):
                    shown[child] = (id(child.filling), child.note) in noted
                    child.redraw()
                else:
                    known = isinstance(child, DerivedRow) and child.words != ""
                    shown[child] = known or (id(child.filling), child.field.name) in asked
                if section is not None and shown[child]:
                    shown[section] = True
            elif child.has_class("section"):
                section = child
                shown[child] = False
        for widget, display in shown.items():
            if display and isinstance(widget, QuestionRow) and (mounting := widget.show()) is not None:
                self._mounting.append(mounting)
            elif widget.display is not display:
                widget.display = display

    def show_members(self) -> list[Awaitable[None]]:
        """List the members, with a line to add one; return what to await before the new lines are there."""
        place = self.query_one("#members")
        removing = place.remove_children()
        place.display = self.roster is not None
        if self.roster is None:
            return [removing]
        title = label_in(self.roster.being.plural, self.out.lang, self.roster.being.name)
        there = [
            TextRow(self.pen, told, QUIET, inset="  ") for told in present_members(self.roster, self.sheets[0].filling)
        ]
        new = [
            ActionRow(self.pen, one.list_text, partial(self._start_member, one), drop=partial(self._start_drop, one))
            for one in self.members
        ]
        more = ActionRow(self.pen, lambda: self.out.phrase("form_add_member"), partial(self._start_member, None))
        head = TextRow(self.pen, title, f"bold {ACCENT}", classes="section")
        return [removing, place.mount(head, *there, *new, more)]

    def _head_lines(self, width: int) -> list[Text]:
        parts = [LinePart(f" {self.title_words}", "bold")]
        missing = sum(1 for one in self.questions if one.display and self._is_missing(one))
        parts.append(
            LinePart("   " + self.out.phrase("form_missing", n=missing), QUIET) if missing else LinePart("   ✓", GOOD)
        )
        return [self.pen.write_line(parts, width)]

    def _foot_lines(self, width: int) -> list[Text]:
        question = self._focused_question()
        said = self._said or (question.foot_text() if question is not None else LinePart(""))
        if self._said is None and isinstance(self.focused, ActionRow) and self.focused.can_drop:
            said = LinePart(self.out.phrase("member_keys"), QUIET)
        lines = self.pen.wrap_parts([LinePart(" "), said], width, most=2)
        lines += option_lines(self.pen, width, question, self._options, self._option)
        return (lines + [Text()] * (MOST_OPTIONS + 1))[: MOST_OPTIONS + 1]

    def _key_lines(self, width: int) -> list[Text]:
        pairs = [
            ("Enter", "key_next"),
            ("↑↓", "key_choose"),
            ("Tab", "key_field"),
            ("Ctrl-S", "key_save"),
            ("Esc", "key_leave"),
        ]
        return key_lines(
            self.pen, [(key, self.out.phrase(word)) for key, word in pairs], width, f"bold {ACCENT}", QUIET
        )

    def _focused_question(self) -> QuestionRow | None:
        focused = self.focused
        return focused.parent if focused is not None and isinstance(focused.parent, QuestionRow) else None

    def show_notice(self, text: str, style: str = BAD) -> None:
        """Show a notice at the foot until the next key."""
        self._said = LinePart(text, style)
        self.query_one("#foot", TextPanel).redraw()

    def _refresh_foot(self) -> None:
        """Bring the foot in line with the question that one is at."""
        question = self._focused_question()
        self._options = question.matching_options() if question is not None else ()
        self._option = question.marked_option(self._options) if question is not None else -1
        self._said = None
        self.query_one("#foot", TextPanel).redraw()

    # --- answering ---

    @on(DescendantFocus)
    def question_focused(self) -> None:
        """Another question."""
        self._refresh_foot()

    @on(Input.Changed)
    @on(TextArea.Changed)
    def text_typed(self, event: Input.Changed | TextArea.Changed) -> None:
        """Validate typed text, and update dependent questions."""
        event.stop()
        line = event.control
        if isinstance(line.parent, QuestionRow):
            line.parent.judge_text()
            self._answer_changed()
            if line.parent is self._focused_question():
                self._refresh_foot()

    def _answer_changed(self) -> None:
        self._missing = {id(sheet.filling): frozenset(sheet.filling.missing_fields()) for sheet in self.sheets}
        self._show_derived()
        self.show_questions()
        for question in self.questions:
            question.show_followed()
            question.mark_needed(question.field.required == "always" or self._is_missing(question))
        self.query_one("#head", TextPanel).redraw()

    def _show_derived(self) -> None:
        """Show what follows from the answers, and from the members."""
        self.sheets[0].filling.around.also = member_documents(self.roster, self.members)
        known = {id(sheet.filling): sheet.filling.derived_values() for sheet in self.sheets if sheet.derived_fields()}
        for row in self.query(DerivedRow):
            value = known[id(row.filling)].get(row.field.name)
            row.show("" if value is None else self.out.format_value(row.filling.kind, row.field.name, value))

    def _is_missing(self, question: QuestionRow) -> bool:
        return question.field.name in self._missing.get(id(question.filling), ())

    async def _wait_for_input(self) -> None:
        """Wait until all that was typed has arrived: on a slow line letters and the keys behind them come in one piece.

        The keys that leave a question come before the letters' own way through the question; so they wait for them.
        """
        while self._mounting:  # nobody can go to a line that is not there yet
            await self._mounting.pop(0)
        node = self.focused
        while node is not None:
            done = asyncio.Event()
            node.call_later(done.set)
            await done.wait()
            if node is self:
                break
            node = node.parent  # type: ignore[assignment]  # up to this screen all are widgets

    async def action_enter(self) -> None:
        """Accept the marked answer, or the typed text, and continue; on an action row, run the action."""
        await self._wait_for_input()
        question, focused = self._focused_question(), self.focused
        if isinstance(focused, ActionRow):
            focused.act()
        elif isinstance(focused, TextArea):
            focused.insert("\n")
        elif question is not None:
            if self._accept_answer(question):
                question.complete_text()
                await self._wait_for_input()
                self._go_to_row(1)
            else:
                self._refresh_foot()
        await self._wait_for_input()

    def _accept_answer(self, question: QuestionRow) -> bool:
        """Accept an answer; return whether that question is finished."""
        done = True
        if 0 <= self._option < len(self._options):
            done = question.choose_option(self._options[self._option])
        elif question.take_member():
            done = False
        self._answer_changed()
        return done

    def _go_to_row(self, steps: int) -> None:
        """Go to another question or line that does something. The library goes by places on the screen, which new ones lack yet."""
        rows = [one for one in self.query_one("#form").walk_children() if isinstance(one, QuestionRow | ActionRow)]
        there = [one for one in rows if one.display]
        here = self._focused_question() or self.focused
        at = there.index(here) if here in there else -1
        found = there[(at + steps) % len(there)]
        self.set_focus(found.input_line if isinstance(found, QuestionRow) else found)

    async def action_field(self, steps: int) -> None:
        """Go to the next question, or the one before."""
        await self._wait_for_input()
        if (question := self._focused_question()) is not None:
            question.complete_text()
        self._go_to_row(steps)
        await self._wait_for_input()

    async def action_down(self, steps: int) -> None:
        """Mark another answer where there are some, else go to another question."""
        await self._wait_for_input()
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
            self.query_one("#foot", TextPanel).redraw()
        else:
            await self.action_field(steps)

    @on(QuestionRow.MemberDropped)
    def member_dropped(self) -> None:
        """A set has lost a member."""
        self._answer_changed()
        self._refresh_foot()

    # --- members ---

    def _start_member(self, member: RosterMember | None) -> None:
        self.run_flow(partial(self._fill_member, member))

    async def _fill_member(self, member: RosterMember | None) -> None:
        """Fill in a member, a new one or one of the list."""
        if self.roster is None:
            return
        one = member or new_member(self.node, self.roster, self.out.lang)
        title = label_in(self.roster.being.label, self.out.lang, self.roster.being.name)
        sheets = [
            QuestionSheet(one.tie, frozenset(field.name for field in tie_fields(self.roster))),
            QuestionSheet(one.being, without=frozenset({str(self.roster.being.belongs_to)})),
        ]
        before = [(sheet.filling, sheet.filling.copy_answers()) for sheet in sheets]
        self.entering = one if member is None else None
        accepted = await self.app.push_screen_wait(FormScreen(self.node, self.out, title, sheets))
        self.entering = None
        if accepted and member is None:
            self.members.append(one)
        for filling, held in before if not accepted else ():
            filling.restore_answers(held)
        await self._list_members()

    async def _list_members(self) -> None:
        self._answer_changed()
        for there in self.show_members():
            await there
        self.call_after_refresh(self._to_adding)

    def _to_adding(self) -> None:
        line = list(self.query_one("#members").query(ActionRow))[-1]
        line.focus(scroll_visible=False)  # the library would scroll as well, and either of them last
        self.call_after_refresh(line.scroll_visible, animate=False)  # it may have been placed only now

    def _start_drop(self, member: RosterMember) -> None:
        self.run_flow(partial(self._drop_member, member))

    async def _drop_member(self, member: RosterMember) -> None:
        """Take a member out of the list, if that is meant: all that was typed of it goes."""
        answers = [("Enter", "enter", "member_drop"), ("Esc", "escape", "key_leave")]
        asked = ChoiceDialog(self.pen, self.out.phrase("member_out", name=member.list_text()), answers)
        if await self.app.push_screen_wait(asked) == "Enter":
            self.members.remove(member)
            await self._list_members()

    # --- the end ---

    def first_wrong(self) -> QuestionRow | None:
        """The first question whose answer cannot be taken."""
        return next((one for one in self.questions if one.display and one.wrong), None)

    async def action_save(self) -> None:
        """Accept the form, unless an answer is wrong: then go there."""
        await self._wait_for_input()
        self._start_save()

    def _start_save(self) -> None:
        wrong = self.first_wrong()
        if wrong is not None:
            wrong.input_line.focus()
            self.call_after_refresh(lambda: self.show_notice(f"✗ {wrong.wrong}"))
            return
        self.finish_form()

    def finish_form(self) -> None:
        """Finish a form without errors."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Leave without accepting it; nothing that was typed is thrown away unasked."""
        self.run_flow(self._leave_form)

    async def _leave_form(self) -> None:
        same = [sheet.filling.copy_answers() for sheet in self.sheets] == self._begun_with
        if same and not any(one.wrong and one.line_text.strip() for one in self.questions):
            self.dismiss(False)
            return
        answers = [("Enter", "enter", "member_keep"), ("x", "ء", "draft_drop"), ("Esc", "escape", "draft_go_on")]
        answer = await self.app.push_screen_wait(ChoiceDialog(self.pen, self.out.phrase("member_leave"), answers))
        if answer == "Enter":
            self._start_save()
        elif answer == "x":
            self.dismiss(False)

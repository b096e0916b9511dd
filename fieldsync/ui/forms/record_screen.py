"""The full-screen form of `add` and `edit`: keeps a draft, warns of possible duplicates, and saves."""

import contextlib
from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from fieldsync import errors
from fieldsync.replica import form_drafts
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs, registered_already
from fieldsync.store.node_notes import FormDraft
from fieldsync.ui.forms import drafts
from fieldsync.ui.forms.answers import FormAnswers
from fieldsync.ui.forms.form_screen import FormScreen
from fieldsync.ui.forms.roster import Roster
from fieldsync.ui.forms.rows import QuestionSheet
from fieldsync.ui.forms.search_screen import SearchScreen
from fieldsync.ui.terminal import messages
from fieldsync.ui.views import duplicate_view
from fieldsync.ui.views.record_card import when_ms
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import ChoiceDialog, ConfirmDialog
from fieldsync.ui.widgets.full_screen_app import FullScreen
from fieldsync.ui.widgets.line_writer import QUIET, LinePart, LineWriter

_KEEP_EVERY = 1.0  # seconds between two looks whether a draft has changed


class RecordScreen(FormScreen):
    """The form of `add` and `edit`: keeps a draft, warns of duplicates, saves."""

    def __init__(self, app: "FormApp") -> None:
        filling = app.filling
        sheet = QuestionSheet(filling, without=frozenset(filling.settled))
        super().__init__(app.node, app.out, app.title_words, [sheet], roster=app.roster)
        self._form = app
        self._kept: FormDraft | None = None

    def on_mount(self) -> None:
        """Begin, with a draft that was left if a person wants it."""
        # the library calls the form's own on_mount besides
        left = form_drafts.load_draft(self.node, self._form.draft)
        self._kept = drafts.make_draft(self)
        self.set_interval(_KEEP_EVERY, self.store_draft)
        if left is None:
            return

        def answered(answer: str | None) -> None:
            if answer == "Enter":
                changed = drafts.restore_draft(self, left)
                self._answer_changed()
                self.show_members()
                if changed:
                    self.show_notice(self.out.phrase("draft_changed", fields=self.out.several(changed)))
            elif answer == "n":
                self._throw_away()

        title = self.out.phrase("draft_found", at=when_ms(left.at), n=drafts.count_answers(left))
        answers = [("Enter", "enter", "draft_take"), ("n", "ى", "draft_drop")]
        self.app.push_screen(ChoiceDialog(self.pen, title, answers), answered)

    def store_draft(self) -> bool:
        """Store a changed draft; show an error if that fails."""
        now = drafts.make_draft(self)
        if now == self._kept:
            return True
        try:
            form_drafts.store_draft(self.node, self._form.draft, now)
        except errors.FieldsyncError as fault:
            screen = self.app.screen  # a member's form may stand before this one
            why = messages.explain_error(fault, self.out.lang, self.node.schema)[0]
            (screen if isinstance(screen, FormScreen) else self).show_notice(self.out.phrase("draft_not_kept", why=why))
            return False
        self._kept = now
        return True

    def _throw_away(self) -> None:
        """Delete the draft; if that fails, it is offered again."""
        with contextlib.suppress(errors.FieldsyncError):
            form_drafts.throw_away(self.node, self._form.draft)

    def finish_form(self) -> None:
        """Save the form once it is legal."""
        self.run_flow(self._save_form)

    async def _save_form(self) -> None:
        """Search for duplicates, then save; an error is shown, and the form stays open."""
        filling = self.sheets[0].filling
        if filling.new and not (filling.has_answers or self.members):
            self.show_notice(self.out.phrase("form_empty"))
            return
        try:
            if not await self._form.may_go_on(self):
                return
            record = self._form.save(self)
        except errors.FieldsyncError as fault:
            message, hint = messages.explain_error(fault, self.out.lang, self.node.schema)
            self.show_notice(f"✗ {message} {hint}")
            return
        self.app.exit(record)

    async def _leave_form(self) -> None:
        """Leave: keep the typed answers as a draft, or delete it."""
        if not (self.sheets[0].filling.was_touched or self.members):
            self._throw_away()
            self.app.exit(None)
            return
        answers = [("Enter", "enter", "draft_keep"), ("x", "ء", "draft_drop"), ("Esc", "escape", "draft_go_on")]
        answer = await self.app.push_screen_wait(ChoiceDialog(self.pen, self.out.phrase("draft_leave"), answers))
        if answer == "x":
            self._throw_away()
        if answer == "x" or (answer == "Enter" and self.store_draft()):
            self.app.exit(None)

    def break_off(self) -> None:
        """Leave at once; the draft stays."""
        if self.store_draft():
            self.app.exit(None)


Save = Callable[[RecordScreen], bytes]


class FormApp(FullScreen[bytes | None]):
    """`add` or `edit` full-screen; ends with the saved record's id, None if it was left."""

    KEEPS_EARLY_KEYS = True

    def __init__(
        self,
        node: Node,
        out: Tables,
        title: str,
        filling: FormAnswers,
        save: Save,
        *,
        draft: str,
        roster: Roster | None = None,
        search_first: bool = False,
    ) -> None:
        super().__init__(LineWriter(out).loading_line())
        self.node, self.out, self.title_words = node, out, title
        self.filling, self.save, self.draft, self.roster = filling, save, draft, roster
        self.form = RecordScreen(self)
        self.searching = search_first  # until the form begins
        self.opened = False  # whether it ends with a record that is there already, in place of a new one

    def get_default_screen(self) -> Screen[Any]:
        """The form, or the search before it."""
        if not self.searching:
            return self.form
        return SearchScreen(
            self.node, self.out, self.filling.kind, begin=self._begin_form, open_record=self._open_record
        )

    def _begin_form(self, text: str) -> None:
        """Open the form of a new record with the search words."""
        self.filling.answer_first(registered_already.first_answers(self.filling.kind.name, text))
        self.form = RecordScreen(self)
        self.searching = False
        self.push_screen(self.form)

    def _open_record(self, record: bytes) -> None:
        self.opened = True
        self.exit(record)

    def action_break_off(self) -> None:
        """Leave at once, whatever is on top of the form; the draft stays."""
        if self.searching:
            self.exit(None)
        else:
            self.form.break_off()

    async def _may_go_over(self, screen: RecordScreen) -> bool:
        """Ask whether it is to be saved where the same fields were changed while the form was open."""
        filling, out = self.filling, self.out
        now = filling.current_document()
        rows = []
        for field in filling.build_changes().set:
            theirs, yours = now.get(field), filling.doc.get(field)
            if theirs not in (filling.before.get(field), yours):
                rows.append([LinePart(out.label(filling.kind, field), "bold")])
                for said, value in (("form_theirs", theirs), ("form_yours", yours)):
                    words = out.format_value(filling.kind, field, value)
                    rows.append([LinePart("    "), LinePart(out.phrase(said) + ": ", QUIET), LinePart(words)])
        if not rows:
            return True
        question = ConfirmDialog(screen.pen, out.phrase("form_meanwhile"), rows, does="key_save_anyway")
        return await self.push_screen_wait(question) is True

    async def may_go_on(self, screen: RecordScreen) -> bool:
        """Ask whether it is to be saved where it, or a member of it, may be registered already."""
        if not self.filling.new and not await self._may_go_over(screen):
            return False
        wanted = [*([self.filling] if self.filling.new else []), *(member.being for member in screen.members)]
        found = [
            (filling, one)
            for filling in wanted
            for one in duplicate_pairs.likely_duplicates(self.node, filling.kind.name, filling.build_changes())
        ]
        if not found:
            return True
        rows = []
        for filling, one in found:
            heading = self.out.heading(filling.kind, one)
            rows.append([LinePart(heading, "bold"), LinePart(f"  {duplicate_view.percent(one.score)}", QUIET)])
            reasons = (duplicate_view.reasons(self.out, filling.kind, [code]) for code in one.reasons)
            # a line each: cut ones would not say why
            rows += [[LinePart("    "), LinePart(why, QUIET)] for why in reasons]
        title = self.out.phrase("pairs_candidates", n=len(found))
        question = ConfirmDialog(screen.pen, title, rows, does="key_save_anyway")
        return await self.push_screen_wait(question) is True

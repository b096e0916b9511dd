"""Repeated keys count once on every dialog and screen; Ctrl-C leaves from each."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.events import Key
from textual.screen import Screen

from fieldsync.replica import form_drafts, queries
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets import dialogs
from fieldsync.ui.widgets.full_screen_app import DialogScreen, FullScreen
from fieldsync.ui.widgets.line_writer import LinePart, LineWriter
from tests.conftest import Cast
from tests.ui.test_forms import Person, fields_of, fill, new
from tests.ui.test_forms_in_trouble import at_the_members

ROWS = [[LinePart("one")], [LinePart("two")]]
DIALOGS: dict[str, tuple[Callable[[LineWriter], dialogs.BoxDialog[Any]], str, Any]] = {
    "ask": (lambda pen: dialogs.InputDialog(pen, "?", value="x"), "enter", "x"),
    "ask-esc": (lambda pen: dialogs.InputDialog(pen, "?"), "escape", None),
    "pick": (lambda pen: dialogs.SearchDialog(pen, "?", ["a", "b"]), "enter", 0),
    "told": (lambda pen: dialogs.NoticeDialog(pen, "?", ROWS), "enter", None),
    "agree": (lambda pen: dialogs.ConfirmDialog(pen, "?", ROWS, does="key_ok"), "enter", True),
    "agree-esc": (lambda pen: dialogs.ConfirmDialog(pen, "?", ROWS, does="key_ok"), "escape", None),
    "choose": (lambda pen: dialogs.ChoiceDialog(pen, "?", [("Enter", "enter", "key_ok"), ("n", "ى", "key_ok")]), "enter", "Enter"),
}  # fmt: skip


class _Below(DialogScreen[None]):
    """A screen above the first one: closing a dialog twice would close this one."""


class _App(FullScreen[str]):
    def get_default_screen(self) -> Screen[None]:
        return _Below()


@pytest.mark.parametrize("depth", [0, 1])
@pytest.mark.parametrize("dialog", DIALOGS)
def test_a_dialog_closes_once(dialog: str, depth: int) -> None:
    """Three key presses that arrive together give one answer, and the screen below stays."""
    make, key, wanted = DIALOGS[dialog]
    given: list[Any] = []

    async def run() -> None:
        app = _App()
        async with app.run_test() as pilot:
            for _ in range(depth):
                await app.push_screen(_Below())
            below = app.screen
            app.push_screen(make(LineWriter(Tables("en"))), given.append)
            await pilot.pause()
            for _ in range(3):
                app.post_message(Key(key, None))
            for _ in range(4):
                await pilot.pause()
            assert app.screen is below
            assert app.is_running
            assert not app.leaving

    asyncio.run(run())
    assert given == [wanted]


@pytest.mark.parametrize("dialog", DIALOGS)
def test_ctrl_c_leaves_from_a_dialog(dialog: str) -> None:
    """Ctrl-C ends the program from each dialog; text fields don't take it for copying."""

    async def run() -> None:
        app = _App()
        async with app.run_test() as pilot:
            app.push_screen(DIALOGS[dialog][0](LineWriter(Tables("en"))))
            await pilot.pause()
            await pilot.press("ctrl+c")
            assert app.leaving

    asyncio.run(run())


def test_saving_twice_saves_once(people: Cast) -> None:
    """Ctrl-S twice on a new family gives one family."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.at_once("ctrl+s", "ctrl+s", "ctrl+s")

    assert fill(new(people.amal, "household"), steps) is not None
    assert len(queries.list_records(people.amal, "household")) == 1


def test_accepting_a_member_twice_keeps_the_form(people: Cast) -> None:
    """Ctrl-S three times in a member's form: one member, and the family's form is still there to be saved."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        family = await at_the_members(person)
        await person.type("given", "سمير")
        await person.at_once("ctrl+s", "ctrl+s", "ctrl+s")
        await person.until(lambda: len(family.members) == 1 or person.app.screen is family)

    record = fill(new(people.amal, "household"), steps)
    assert len(queries.list_records(people.amal, "person")) <= 1
    assert record is None or fields_of(people.amal, record)["family_name"] == "علي"


def test_leaving_twice_asks_once(people: Cast) -> None:
    """Esc twice opens one question; its own Esc goes on with the form; Enter twice keeps the draft."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.at_once("escape", "escape")
        await person.until(lambda: isinstance(person.app.screen, dialogs.ChoiceDialog))
        await person.press("escape")
        await person.until(lambda: not isinstance(person.app.screen, dialogs.ChoiceDialog))
        assert person.app.is_running
        await person.press("escape")
        await person.until(lambda: isinstance(person.app.screen, dialogs.ChoiceDialog))
        await person.at_once("enter", "enter")

    assert fill(new(people.amal, "household"), steps) is None
    assert form_drafts.load_draft(people.amal, "household") is not None


def test_ctrl_c_in_a_question_keeps_the_draft(people: Cast) -> None:
    """Ctrl-C while the form asks what becomes of the draft keeps it, as it does in the form."""

    async def steps(person: Person) -> None:
        await person.type("family_name", "علي")
        await person.press("escape")
        await person.until(lambda: isinstance(person.app.screen, dialogs.ChoiceDialog))
        await person.press("ctrl+c")

    assert fill(new(people.amal, "household"), steps) is None
    left = form_drafts.load_draft(people.amal, "household")
    assert left is not None
    assert left.answers["family_name"] == "علي"

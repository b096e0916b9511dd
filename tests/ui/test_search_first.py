"""The search before a new record, on the screen: results with reasons, the form it begins, the record it opens."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from fieldsync.replica import form_drafts, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import registered_already
from fieldsync.store.node_notes import FormDraft
from fieldsync.ui.forms import form_app
from fieldsync.ui.forms.record_screen import FormApp, RecordScreen
from fieldsync.ui.forms.search_screen import SearchScreen
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import ChoiceDialog
from tests.conftest import Cast
from tests.ui.screens import assert_looks, seen


@pytest.fixture
def amal(people: Cast) -> Node:
    """A laptop with a family of two."""
    node = people.amal
    home = save.add_record(
        node, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"}, put={"phones": ["0944123456"]})
    )
    for given in ("أحمد", "سمير"):
        born = {"household": home.hex(), "birth_date": "1985-03-02"}
        save.add_record(node, "person", Changes(set={"given": given, "father": "علي", "family": "الحسن", **born}))
    registered_already.prepare(node)
    return node


class Seeker:
    """Somebody at the screen."""

    def __init__(self, pilot: Pilot[bytes | None]) -> None:
        self.pilot, self.app = pilot, pilot.app

    @property
    def screen(self) -> SearchScreen:
        found = self.app.screen
        assert isinstance(found, SearchScreen)
        return found

    async def type(self, text: str) -> None:
        """Type, and wait until it was looked for."""
        self.screen.query_one(Input).value = text
        for _ in range(500):
            if self.screen._looked_for == text:
                await self.pilot.pause()
                return
            await self.pilot.pause(0.02)
        raise AssertionError(seen(self.app))


Steps = Callable[[Seeker], Awaitable[None]]


def add(node: Node, type: str, steps: Steps, *, lang: str = "en") -> FormApp:
    """Open `add` and do what a person does."""
    kind = node.schema.type(type)
    out = Tables(lang)
    app = form_app.new_form(out, node, kind, unit=None, note=None, search_first=True)

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await steps(Seeker(pilot))
            await pilot.pause()

    asyncio.run(run())
    return app


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_search_results_are_displayed(amal: Node, lang: str) -> None:
    """A record in a line with its reasons below; the first line is a new record."""

    async def steps(seeker: Seeker) -> None:
        assert_looks(seeker.app, f"search-empty-{lang}")
        await seeker.type("علي الحسن 1985" if lang == "en" else "سمير")
        await seeker.pilot.press("down")
        assert_looks(seeker.app, f"search-{lang}")

    add(amal, "person", steps, lang=lang)


def test_an_existing_record_is_opened_instead(amal: Node) -> None:
    """The arrows move between records and stop at either end."""

    async def steps(seeker: Seeker) -> None:
        await seeker.type("الحسن")
        found = [None, *(one.id for one in seeker.screen.found)]
        assert len(found) == 3
        told = []
        for key in ("down", "down", "down", "up", "up", "up", "down"):
            await seeker.pilot.press(key)
            told.append(seeker.screen.chosen.id if seeker.screen.chosen else None)
        assert told == [found[1], found[2], found[2], found[1], None, None, found[1]]
        await seeker.pilot.press("enter")

    app = add(amal, "person", steps)
    assert app.opened
    assert app.return_value is not None
    assert queries.show(amal, app.return_value.hex()).fields["family"] == "الحسن"


def test_a_form_begins_with_the_words(amal: Node) -> None:
    """Enter on the first line; the names are answered, and saving is an ordinary save."""

    async def steps(seeker: Seeker) -> None:
        await seeker.type("هدى خالد درويش")
        await seeker.pilot.press("enter")
        await seeker.pilot.pause()
        form = seeker.app.screen
        assert isinstance(form, RecordScreen)
        assert [one.line_text for one in form.questions if one.field.name in ("given", "father", "family")] == [
            "هدى", "خالد", "درويش",
        ]  # fmt: skip
        await seeker.pilot.press("ctrl+s")
        await seeker.pilot.pause()

    app = add(amal, "person", steps)
    assert not app.opened
    assert app.return_value is not None
    assert queries.show(amal, app.return_value.hex()).fields["father"] == "خالد"


def test_results_are_shown_before_a_form_opens(amal: Node) -> None:
    """Typed and sent in one piece: results are shown first; without any, the form opens."""

    async def steps(seeker: Seeker) -> None:
        await seeker.pilot.press(*"سمير", "enter")
        assert seeker.screen.found
        assert seeker.screen.chosen is None
        await seeker.pilot.press("enter")
        await seeker.pilot.pause()
        assert isinstance(seeker.app.screen, RecordScreen)

    add(amal, "person", steps)


def test_keys_typed_before_the_search_takes_them_are_kept(amal: Node) -> None:
    """Letters that came while the screen was being made are in the line, in order; a draft's question gets none of them."""

    def early(unfinished: bool) -> tuple[FormApp, str]:
        kind = amal.schema.type("person")
        out = Tables("en")
        app = form_app.new_form(out, amal, kind, unit=None, note=None, search_first=True)
        first = app.get_default_screen

        def typed() -> Screen[Any]:
            for key in "hud":
                app.post_message(Key(key, key))
            return first()

        app.get_default_screen = typed  # type: ignore[method-assign]
        line = ""

        async def run() -> None:
            nonlocal line
            async with app.run_test(size=(80, 24)) as pilot:
                await pilot.pause(0.1)
                await pilot.press("a")
                assert isinstance(app.screen, ChoiceDialog if unfinished else SearchScreen)
                line = "" if unfinished else app.screen.query_one(Input).value

        asyncio.run(run())
        return app, line

    assert early(unfinished=False)[1] == "huda"
    form_drafts.store_draft(amal, "person", FormDraft(answers={"given": "x"}))
    assert early(unfinished=True)[0].return_value is None


def test_a_draft_replaces_the_search_and_esc_leaves(amal: Node) -> None:
    """An unfinished form is resumed; leaving the search starts nothing."""

    async def leave(seeker: Seeker) -> None:
        await seeker.type("سمير")
        await seeker.pilot.press("escape")

    app = add(amal, "person", leave)
    assert app.return_value is None
    assert form_drafts.load_draft(amal, "person") is None
    form_drafts.store_draft(amal, "person", FormDraft(answers={"given": "x"}))
    kind = amal.schema.type("person")
    assert not form_app.new_form(Tables("en"), amal, kind, unit=None, note=None, search_first=True).searching

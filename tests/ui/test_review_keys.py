"""Review keys: finding actions by words, opening related records, leaving on purpose only."""

import pytest
from textual.pilot import Pilot

from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import queue
from fieldsync.ui.review.keys import KEYS
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.widgets.dialogs import ChoiceDialog, InputDialog, NoticeDialog, SearchDialog
from tests.conftest import Cast
from tests.ui.screens import seen
from tests.ui.test_review_screen import disputed, meet, play  # noqa: F401 - a fixture

Pilots = Pilot[None]


async def press(pilot: Pilots, *keys: str) -> None:
    """Press keys, and wait for what they do."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


def test_escape_asks_before_it_leaves(disputed: Cast) -> None:  # noqa: F811
    """Esc twice stays; Esc and q leaves, in either keyboard's letters."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, ChoiceDialog)
        await press(pilot, "escape")
        assert pilot.app.screen is screen
        assert screen.is_ready
        await press(pilot, "escape", "ض")
        assert screen._leaving

    play(disputed.samar, steps)


def test_q_leaves_at_once(disputed: Cast) -> None:  # noqa: F811
    """No question is asked."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "q")
        assert screen._leaving

    play(disputed.samar, steps)


@pytest.mark.parametrize(("lang", "words"), [("en", "another value"), ("ar", "قيمه اخرى")])
def test_the_palette_finds_actions_by_words(disputed: Cast, lang: str, words: str) -> None:  # noqa: F811
    """Ctrl-P, part of an action in any spelling, Enter: the same as its key."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "down", "ctrl+p")
        assert isinstance(pilot.app.screen, SearchDialog)
        await press(pilot, *words, "enter")
        assert isinstance(pilot.app.screen, SearchDialog | InputDialog), seen(pilot.app)
        assert screen.query_one("#queue").at == 1

    play(disputed.samar, steps, lang=lang)


def test_the_palette_runs_actions_without_a_dialog(disputed: Cast) -> None:  # noqa: F811
    """They run from the palette as well, and Esc does nothing."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "ctrl+p", *"last in", "enter")
        assert screen.query_one("#queue").at == 3
        await press(pilot, "ctrl+p", "escape")
        assert screen.query_one("#queue").at == 3

    play(disputed.samar, steps)


@pytest.mark.parametrize(
    ("typed", "then", "left"),
    [("somebody", ("enter",), 4), ("words", (*"بانياس", "enter"), 1), ("7 days", (), 0), ("unit", (), 4)],
)
def test_filters_add_up(disputed: Cast, typed: str, then: tuple[str, ...], left: int) -> None:  # noqa: F811
    """By author, by words, by age, each found in one list; the active filters stand above the queue."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "f", *typed, "enter")
        for _ in range(100):
            await pilot.pause(0.02)
            if not then or pilot.app.screen is not screen:
                break
        await press(pilot, *then)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert len(screen.walk.waiting) == left
        assert "⧩" in seen(pilot.app)

    play(disputed.samar, steps)


def test_help_lists_every_key(disputed: Cast) -> None:  # noqa: F811
    """Each bound key is explained."""

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        await press(pilot, "?")
        assert isinstance(pilot.app.screen, NoticeDialog)
        first = seen(pilot.app)
        await press(pilot, "pagedown")
        assert [one.shown for one in KEYS if one.shown not in first + seen(pilot.app)] == []

    play(disputed.samar, steps)


def test_related_records_are_opened(people: Cast) -> None:
    """From a disputed birth date to the family with brothers and sisters, and back to the question."""
    home = record_ids.id_text(save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن"})))
    told = {"household": home, "given": "ريم", "family": "الحسن", "sex": "f", "birth_date": "2015-05-01"}
    child = record_ids.id_text(save.add_record(people.amal, "person", Changes(set=told)))
    save.add_record(people.amal, "service", Changes(set={"person": child, "service_type": "education"}))
    meet(people)
    for node, born in ((people.amal, "2015-05-02"), (people.basim, "2015-05-03")):
        save.edit_record(node, child, Changes(set={"birth_date": born}))
    meet(people)
    assert [one.field for one in queue.waiting_conflicts(people.samar)] == ["birth_date"]

    async def steps(pilot: Pilots, screen: ReviewScreen) -> None:
        assert "ريم الحسن  Birth date" in seen(pilot.app)  # the queue names whom it is about
        await press(pilot, "o")
        assert "Household: الحسن" in seen(pilot.app)
        assert "Service: Education" in seen(pilot.app)
        await press(pilot, "enter")
        assert "Family name: الحسن" in seen(pilot.app)
        await press(pilot, "escape", "escape")
        assert pilot.app.screen is screen
        assert screen.is_ready
        screen.out.form = "isolates"  # what keeps names to themselves is not shown
        await press(pilot, "o")
        assert isinstance(pilot.app.screen, SearchDialog)
        assert "U+20" not in seen(pilot.app)

    play(people.samar, steps)

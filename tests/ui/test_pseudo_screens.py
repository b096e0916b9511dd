"""The screens in a language that nobody speaks: no word of English is left that nobody could translate."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from docs.recorded import office
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import find_row
from fieldsync.review import queue
from fieldsync.ui.forms import form_app
from fieldsync.ui.forms.question_row import QuestionRow
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.views.tables import Tables
from tests import pseudo
from tests.conftest import Cast
from tests.ui.screens import seen

_LARGE = (200, 120)  # no sentence is cut, no question is out of sight
_KEYS = frozenset(
    {"enter", "esc", "tab", "home", "end", "ctrl", "space", "del", "pgup", "pgdn"}
)  # as is written on them


@pytest.fixture(autouse=True)
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arabic is the language that nobody speaks."""
    pseudo.speak(monkeypatch)
    monkeypatch.setenv("FIELDSYNC_RTL", "plain")


def english(app: App[Any], *keys: str) -> tuple[set[str], int]:
    """Press the keys one after the other; return the words of English that are seen meanwhile, and how many pictures there were."""

    async def run() -> tuple[set[str], int]:
        found: set[str] = set()
        pictures = set()
        async with app.run_test(size=_LARGE) as pilot:
            for key in ("", *keys):
                if key == "escape" and len(app.screen_stack) == 1:
                    continue  # there is no dialog to be left
                if key:
                    await pilot.press(key)
                await pilot.pause()
                picture = seen(app)
                for question in app.screen.query(QuestionRow):
                    picture += f"\n{question.foot_text().text}\n" + "\n".join(
                        one.words for one in question.matching_options()
                    )
                pictures.add(picture)
                found |= set(pseudo.english(picture, _KEYS))
        return found, len(pictures)

    return asyncio.run(run())


def test_the_review_can_be_translated(tmp_path: Path) -> None:
    """A conflict, a duplicate and an overlap; every dialog that a key opens; decided, taken back, and all done."""
    made = office(tmp_path)
    out = Tables("ar")
    out.use_node(made.samar)
    app = ReviewApp(made.samar, out, pairs=queue.waiting_pairs(made.samar))
    dialogs = [key for one in ("question_mark", "h", "n", "f", "e") for key in (one, "escape")]
    odd, pictures = english(
        app, *dialogs, "a", "escape", "down", "h", "escape", "down", *dialogs, "1", "1", "u", "2", "1", "1"
    )
    assert odd == {"Ahmad", "Mohamed", "Hassan"}  # how Basim wrote the name
    assert pictures > 12
    assert app.review.walk.decided > 0
    for node in made:
        node.close()


@pytest.mark.parametrize("type", ["household", "person", "assessment", "benefit"])
def test_forms_can_be_translated(people: Cast, type: str) -> None:
    """Every question with its choices and what it asks for, and a wrong answer."""
    app = form_app.new_form(Tables("ar"), people.amal, people.amal.schema.type(type), unit=None, note=None)
    odd, pictures = english(app, "x", "tab", "x", "tab", "x", "tab", "ctrl+s", "escape")
    assert odd == set()
    assert pictures > 4


def test_an_edit_and_a_member_can_be_translated(people: Cast) -> None:
    """The form of a record that is there, and that of another member."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"}))
    with people.amal.store.read() as tx:
        row = find_row(tx, home.hex())
    assert english(form_app.edit_form(Tables("ar"), people.amal, row, note=None), "tab", "tab", "ctrl+s")[0] == set()
    new = form_app.new_form(Tables("ar"), people.amal, people.amal.schema.type("household"), unit=None, note=None)
    odd, pictures = english(new, "shift+tab", "shift+tab", "enter", "tab", "escape", "escape")
    assert odd == set()
    assert pictures > 3

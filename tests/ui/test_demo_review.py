"""The demo's review screen plays by itself, on a copy: keys pressed there do not change the story."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fieldsync.commands.support.settings import Settings
from fieldsync.demo import review_player, story
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.review.decisions import list_conflicts
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets import full_screen_app
from tests.cast import SECRET
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import seen


def test_the_demo_review_plays_on_a_copy(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both values are shown, one is chosen, it ends by itself; the conflict stays open in the supervisor's own store."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن"})).hex()
    for node in (people.amal, people.samar, people.basim):
        sync(people.amal, people.hq)
        sync(node, people.hq)
    for node, place in ((people.amal, "Homs"), (people.basim, "Hama")):
        save.edit_record(node, family, Changes(set={"location": place}))
    for node in (people.amal, people.basim, people.samar):
        sync(node, people.hq)
    shown: list[str] = []
    looked = full_screen_app.asyncio.sleep

    async def look(seconds: float) -> None:
        from textual._context import active_app

        shown.append(seen(active_app.get()))
        await looked(seconds)

    monkeypatch.setattr(full_screen_app.asyncio, "sleep", look)
    steps = [(key, 0.01) for key, _ in review_player.STEPS]
    assert review_player.play_review(Tables("en"), people.samar.home, SECRET, steps=steps, headless=True) == 1
    assert any("Homs" in one and "Hama" in one for one in shown)
    assert [one.field for one in list_conflicts(people.samar)] == ["location"]
    assert queries.show(people.samar, family).conflicts == ["location"]
    assert not people.samar.home.with_name(f"{people.samar.home.name}-shown").exists()


@pytest.mark.parametrize(
    ("settings", "terminal", "size"),
    [(Settings(json=True), True, (100, 30)), (Settings(plain=True), True, (100, 30)), (Settings(), False, (100, 30)), (Settings(), True, (59, 30))],
)  # fmt: skip
def test_the_demo_review_needs_a_terminal(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, terminal: bool, size: tuple[int, int]
) -> None:
    """Not for scripts, screen readers, without a terminal or in one too small; nothing mentions it then."""
    screen = SimpleNamespace(isatty=lambda: terminal, encoding="utf-8")
    played: list[Any] = []
    monkeypatch.setattr(story, "settings_of", lambda _ctx: settings)
    monkeypatch.setattr(story, "at_terminal", lambda: terminal)
    monkeypatch.setattr(story, "draws", lambda: True)
    monkeypatch.setattr(story.sys, "stdout", screen)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: SimpleNamespace(columns=size[0], lines=size[1]))
    monkeypatch.setattr(review_player, "play_review", lambda *given: played.append(given))
    story._show_review(None, SimpleNamespace(folder=Path("nowhere")), played.append)  # type: ignore[arg-type]
    assert played == []

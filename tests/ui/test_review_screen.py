"""The review screen on real stores: every key, in both languages, and how it looks."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from fieldsync.replica import changes, commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.review import queue
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.dialogs import ConfirmDialog, NoticeDialog, SearchDialog
from fieldsync.ui.widgets.text_panels import RowList
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import assert_looks, seen

MINUTE = 60_000
Play = Callable[[Pilot[None], ReviewScreen], Awaitable[None]]


def add(node: Node, **fields: object) -> str:
    return save.add_record(node, "household", Changes(set=fields)).hex()


def edit(cast: Cast, node: Node, record: str, **fields: object) -> None:
    cast.clock.tick(MINUTE)
    save.edit_record(node, record, Changes(set=fields))


def meet(cast: Cast) -> None:
    """Everybody syncs until everybody has everything."""
    for node in (*cast.laptops, *cast.laptops):
        sync(node, cast.hq)


@pytest.fixture
def disputed(people: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """Three families that Amal and Basim wrote of without knowing of each other, one of them removed; Samar has them all."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for family, place in (("علي", "جبلة"), ("حسن", "بانياس"), ("ديب", "القرداحة")):
        people.clock.tick(MINUTE)
        add(people.amal, family_name=family, location=place, address="قرب المدرسة القديمة", registered_on="2026-01-05")
    meet(people)
    first, second, third = (one.id for one in queries.list_records(people.amal, "household"))
    edit(people, people.amal, first, location="حمص قرب الساعة القديمة", displacement="idp")
    edit(people, people.basim, first, location="حماة قرب الساعة الجديدة", displacement="returnee")
    edit(people, people.amal, second, location="حمص")
    edit(people, people.basim, second, location="حماة")
    people.clock.tick(MINUTE)
    save.remove_record(people.amal, third, "سُجّلت مرتين")
    edit(people, people.basim, third, address="انتقلوا إلى شارع الثورة")
    meet(people)
    return people


def play(node: Node, steps: Play, *, lang: str = "en", size: tuple[int, int] = (80, 24)) -> ReviewApp:
    """Open the screen on a node and do what a person does."""
    out = Tables(lang)
    out.use_node(node)

    async def run() -> ReviewApp:
        app = ReviewApp(node, out)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(pilot, app.review)
        return app

    return asyncio.run(run())


def fields_of(node: Node, record: bytes) -> Any:
    return queries.show(node, record.hex()).fields


def test_protection_cases_come_first_then_each_record_s_unit(disputed: Cast) -> None:
    """The queue is ordered by sensitivity; a filtered one holds matching entries only."""
    found = queue.waiting_conflicts(disputed.samar)
    assert [one.field for one in found] == ["_deleted", "displacement", "location", "location"]
    assert [one.field for one in queue.waiting_conflicts(disputed.samar, ConflictFilter(field="location"))] == [
        "location"
    ] * 2
    assert queue.waiting_conflicts(disputed.samar, ConflictFilter(type="person")) == []
    assert queue.waiting_conflicts(disputed.samar, ConflictFilter(unit="LAT/QRD")) == []
    assert {(one.record.hex(), one.field) for one in found} == {
        (item.record.replace("-", ""), item.field) for item in reviews.list_conflicts(disputed.samar)
    }


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_question_looks_like_this(disputed: Cast, lang: str) -> None:
    """Eighty by twenty-four: base and both values with their authors, what differs, the record around it."""

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        assert_looks(pilot.app, f"review-removed-{lang}")
        await pilot.press("down", "down")
        assert_looks(pilot.app, f"review-{lang}")
        await pilot.press("h")
        await pilot.pause()
        assert_looks(pilot.app, f"review-history-{lang}")

    play(disputed.samar, steps, lang=lang)


def test_lines_are_reordered_for_terminals_without_bidi(disputed: Cast) -> None:
    """Joined letters in the order of the screen, each box for itself; dates and codes as they are."""

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        screen.out.form = "visual"
        await pilot.press("down", "down")
        assert_looks(pilot.app, "review-ar-visual")

    play(disputed.samar, steps, lang="ar")


@pytest.mark.parametrize("form", ["visual", "isolates"])
def test_isolating_characters_are_not_shown(disputed: Cast, form: str) -> None:
    """In question, history and bulk preview they are not drawn as if somebody had typed them."""

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        screen.out.form = form
        for keys in (("down", "down"), ("h",), ("escape", "a"), ("enter",)):
            await pilot.press(*keys)
            await pilot.pause()
            assert "U+20" not in seen(pilot.app), keys
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("escape")

    play(disputed.samar, steps, lang="ar")


def test_a_wide_screen_has_the_queue_beside(disputed: Cast) -> None:
    """At 130 columns the queue stands on the side; made narrow while it is open, it goes above."""

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        assert_looks(pilot.app, "review-wide")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert_looks(pilot.app, "review-removed-en")
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        assert max(map(len, seen(pilot.app).splitlines())) <= 40

    play(disputed.samar, steps, size=(130, 30))


def test_take_undo_and_note(disputed: Cast) -> None:
    """A digit takes a side and goes on, with the note; undo brings the question back where it stood."""
    samar = disputed.samar
    place = queue.waiting_conflicts(samar)[2]

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("down", "down", "n")
        await pilot.pause()
        await pilot.press(*"visited", "enter")
        await pilot.pause()
        assert "visited" in seen(pilot.app)
        await pilot.press("2")
        assert fields_of(samar, place.record)["location"] == "حماة قرب الساعة الجديدة"
        assert history(samar, place.record.hex())[-1].note == "visited"
        assert "3 of 3" in seen(pilot.app)
        await pilot.press("u")
        assert "3 of 4" in seen(pilot.app)
        assert "Undone" in seen(pilot.app)
        await pilot.press("u")
        assert "Nothing to undo" in seen(pilot.app)
        await pilot.press("right", "left", "left", "enter")  # 1 → 2 → 1 → 0, as it was
        assert fields_of(samar, place.record)["location"] == "جبلة"

    app = play(samar, steps)
    assert app.review.walk.decided == 1
    assert len(queue.waiting_conflicts(samar)) == 3


def test_keys_of_an_arabic_keyboard(disputed: Cast) -> None:
    """The same keys without changing the layout, digits of that script too."""
    samar = disputed.samar

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("س", "ت", "١")
        assert len(queue.waiting_conflicts(samar)) == 3
        await pilot.press("ع")
        assert len(queue.waiting_conflicts(samar)) == 4
        await pilot.press("ا")
        await pilot.pause()
        assert isinstance(pilot.app.screen, NoticeDialog)
        await pilot.press("escape", "ض")

    play(samar, steps, lang="ar")


def test_another_value_is_judged_while_it_is_typed(disputed: Cast) -> None:
    """Choices are found by typing in either language; what the form does not allow is said at once and not taken."""
    samar = disputed.samar
    everything = queue.waiting_conflicts(samar)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("down", "e")
        await pilot.pause()
        pilot.app.screen.query_one(Input).value = "resid"
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        await pilot.press("enter")  # nothing typed
        await pilot.pause()
        field = pilot.app.screen.query_one(Input)
        field.value = "س" * 1001
        await pilot.pause()
        assert "too long" in seen(pilot.app)
        await pilot.press("enter")
        await pilot.pause()
        field.value = "بانياس"
        await pilot.press("enter")
        await pilot.pause()

    play(samar, steps)
    assert fields_of(samar, everything[1].record)["displacement"] == "resident"
    assert fields_of(samar, everything[2].record)["location"] == "بانياس"


def test_bulk_decisions_have_a_preview(disputed: Cast) -> None:
    """By one rule: the preview names every record with old and new value; one save decides all, one undo reverts all."""
    samar = disputed.samar
    records = [one.record for one in queue.waiting_conflicts(samar, ConflictFilter(field="location"))]

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("end", "a")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SearchDialog)
        pilot.app.screen.query_one(Input).value = "Amal"
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ConfirmDialog)
        assert_looks(pilot.app, "review-preview-en")
        await pilot.press("escape")
        await pilot.pause()
        assert len(queue.waiting_conflicts(samar)) == 4
        await pilot.press("a", "enter")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert [fields_of(samar, one)["location"] for one in records] == ["حماة قرب الساعة الجديدة", "حماة"]
        assert len(queue.waiting_conflicts(samar)) == 2
        await pilot.press("u")
        assert len(queue.waiting_conflicts(samar)) == 4

    play(samar, steps)


def test_a_filter_is_found_by_typing(disputed: Cast) -> None:
    """A field, found by part of its name; nothing else is decided then."""

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("f")
        await pilot.pause()
        pilot.app.screen.query_one(Input).value = "place"
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert "1 of 2" in seen(pilot.app)
        await pilot.press("1", "1")
        assert "f shows the rest" in seen(pilot.app)
        await pilot.press("f", "enter")
        await pilot.pause()
        assert "1 of 2" in seen(pilot.app)

    play(disputed.samar, steps)


def test_a_removal_against_a_change(disputed: Cast) -> None:
    """Later writes stand beside the removal; keeping restores the record, taking the removal removes it."""
    samar = disputed.samar
    one = queue.waiting_conflicts(samar)[0]

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("0")
        assert not queries.show(samar, one.record.hex()).deleted
        await pilot.press("u", "1")
        assert queries.show(samar, one.record.hex()).deleted
        assert len(queue.waiting_conflicts(samar)) == 3

    play(samar, steps)


def test_questions_settled_by_others_leave_the_queue(disputed: Cast) -> None:
    """A question settled by a sync in another process is not asked again, and nothing is decided twice."""
    samar = disputed.samar

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        second = queue.waiting_conflicts(samar)[1]
        reviews.decide_conflict(samar, second.record.hex(), second.field, value="resident")
        await pilot.press("down")
        assert "2 of 3" in seen(pilot.app)

    play(samar, steps)


def test_text_from_records_never_acts(people: Cast) -> None:
    """Escapes, overrides and markup in values, labels of choices and notes are displayed as text."""
    evil = "قرب \x1b[31mأحمر \u202eevil [bold]m[/bold] {x}"
    record = add(people.amal, family_name="علي", location="a", address=evil)
    meet(people)
    edit(people, people.amal, record, location=evil)
    edit(people, people.basim, record, location="[red]x[/red]\x07")
    meet(people)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        for key in ("1", "u", "h"):
            await pilot.press(key)
            await pilot.pause()
            shown = seen(pilot.app)
            assert not set(shown) & set("\x1b\x07\u202e")
            assert "[bold]m[/bold]" in shown.replace("\n", "") or "[red]x[/red]" in shown

    play(people.samar, steps, size=(120, 30))


def test_thousands_of_questions_open_quickly(people: Cast, costs: Any) -> None:
    """The queue is read without the records; moving in it reads one record at a time."""
    amal, basim = people.amal, people.basim
    kind = amal.schema.type("household")
    with amal.store.write() as tx:
        records = [amal.new_id() for _ in range(800)]
        fields = {"_unit": "LAT/JBL", "family_name": "علي", "location": "جبلة", "state": "draft"}
        drafts = [
            changes.Draft(record, "household", kind.version, dict(sorted((fields | {"_code": code}).items())), {})
            for record, code in zip(records, commit_writer.next_code(amal, tx, "LAT/JBL", count=800), strict=True)
        ]
        commit_writer.commit_drafts(amal, tx, drafts)
    for node in (amal, basim):
        sync(node, people.hq)
    for node, value in ((amal, "حمص"), (basim, "حماة")):
        people.clock.tick(MINUTE)
        with node.store.write() as tx:
            rows = tx.rows(records)
            commit_writer.commit_drafts(
                node, tx, [save.draft_edit(node, rows[one], kind, {"location": value}) for one in records]
            )
    for node in (amal, basim, people.samar):
        sync(node, people.hq)
    with costs(seconds=0.5, megabytes=10):
        assert len(queue.waiting_conflicts(people.samar)) == 800

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        started = time.process_time()
        await pilot.press("end")
        await pilot.press(*["up"] * 20)
        assert "780 of 800" in seen(pilot.app)
        assert (time.process_time() - started) / 21 < 0.2
        assert screen.query_one(RowList).count == 800

    play(people.samar, steps)


def test_bulk_is_all_or_nothing(disputed: Cast, tmp_path: Path) -> None:
    """One refused decision leaves the others undecided."""
    samar = disputed.samar
    good, other = queue.waiting_conflicts(samar, ConflictFilter(field="location"))
    decisions = [
        reviews.Decision(good.record.hex(), "location", value="جبلة"),
        reviews.Decision(other.record.hex(), "location", "ZZ:1"),
    ]
    with pytest.raises(reviews.errors.NoHead):
        reviews.decide_conflicts(samar, decisions)
    assert len(queue.waiting_conflicts(samar)) == 4

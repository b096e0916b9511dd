"""Pairs in the review screen: possible duplicates and overlaps, decided and undone by keys."""

import asyncio
import contextlib
import io
import time
from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from fieldsync import errors
from fieldsync.casework import agenda
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps, duplicate_pairs, queue, returns
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.ui.review.ask_back import return_question
from fieldsync.ui.review.line_review import LineReview
from fieldsync.ui.review.pair_questions import question_of_pair
from fieldsync.ui.review.questions import history_lines
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.views.tables import Tables
from fieldsync.ui.widgets.text_panels import TextPanel
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.directly import sync
from tests.review.test_duplicates import AGAIN, AHMAD, person
from tests.ui.screens import assert_looks, seen


@pytest.fixture
def samar(people: Cast, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A supervisor's laptop: one man registered twice by two caseworkers, one family given food twice."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    home = record_ids.id_text(
        save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن"}), unit=JBL)
    )
    person(people.amal, JBL, AHMAD, household=home)
    people.clock.tick(60_000)
    person(people.basim, JBL, AGAIN)
    for node, provider in ((people.amal, "جمعية البر"), (people.basim, "الهلال الأحمر")):
        sync(people.amal, people.hq)
        sync(people.basim, people.hq)
        fields = {"kind": "food", "period": "2026-10", "quantity": 1, "recipient": home, "provider": provider}
        save.add_record(node, "benefit", Changes(set=fields), unit=JBL)
        people.clock.tick(60_000)
    for node in people.laptops * 2:
        sync(node, people.hq)
    return people.samar


def play(node: Node, steps: Callable[[Pilot[None], ReviewScreen], Awaitable[None]], lang: str = "en") -> ReviewApp:
    """Open the screen on a node and do what a person does."""
    out = Tables(lang)
    out.use_node(node)

    async def run() -> ReviewApp:
        app = ReviewApp(node, out, pairs=queue.waiting_pairs(node))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await steps(pilot, app.review)
        return app

    return asyncio.run(run())


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_pair_is_displayed(samar: Node, lang: str) -> None:
    """Side by side, with differences marked and the reason of the question."""

    async def steps(pilot: Pilot[None], review: ReviewScreen) -> None:
        assert_looks(pilot.app, f"pair-overlap-{lang}")
        await pilot.press("down")
        assert_looks(pilot.app, f"pair-duplicate-{lang}")
        assert "⚠" not in seen(pilot.app)
        assert review.walk.decided == 0

    play(samar, steps, lang)


def test_filters_count_pairs(samar: Node) -> None:
    """All, and each type; a filter by field counts conflicts only."""

    async def steps(pilot: Pilot[None], review: ReviewScreen) -> None:
        assert len(review.walk.waiting) == 2
        await pilot.press("f")
        await pilot.pause()
        shown = seen(pilot.app)
        assert all(
            word in shown for word in ("Everything (2)", "Type: Person (1)", "Type: Benefit (1)", "Unit: LAT/JBL (2)")
        )
        assert "Field" not in shown
        await pilot.press("escape")

    play(samar, steps)


def test_the_history_names_members_of_sets(people: Cast) -> None:
    """Added and removed members, as in the command, not yes and no."""
    amal, out = people.amal, Tables("en")
    family = save.add_record(amal, "household", Changes(set={"family_name": "علي"}, put={"groups": ["orphan"]}))
    save.edit_record(amal, family.hex(), Changes(drop={"groups": ["orphan"]}))
    save.edit_record(amal, family.hex(), Changes(put={"groups": ["orphan"]}))
    out.use_node(amal)
    told = history_lines(out, amal.schema.type("household"), history(amal, family.hex()))
    lines = ["".join(part.text for part in one) for one in told]
    assert "  Groups: + Orphan" in lines
    assert "  Groups: − Orphan" in lines


def test_a_merge_by_a_key_and_its_undo(samar: Node) -> None:
    """Merged, undone, marked as different: the pair is not offered again."""
    (pair,) = duplicate_pairs.list_pairs(samar)

    async def steps(pilot: Pilot[None], review: ReviewScreen) -> None:
        await pilot.press("down", "2")
        assert duplicate_pairs.show_pair(samar, pair.a, pair.b).same
        kept = duplicate_pairs.show_unmerged(samar, pair.a)
        assert kept.id == pair.a
        await pilot.press("u")
        assert not duplicate_pairs.show_pair(samar, pair.a, pair.b).same
        assert review.walk.decided == 0
        await pilot.press("0")
        assert duplicate_pairs.show_pair(samar, pair.a, pair.b).not_same
        await pilot.press("u")
        assert [one.a for one in duplicate_pairs.list_pairs(samar)] == [pair.a]
        await pilot.press("0")

    assert play(samar, steps).review.walk.decided == 1
    assert duplicate_pairs.list_pairs(samar) == []


def test_an_overlap_is_cancelled_by_a_key_and_restored(samar: Node) -> None:
    """The second record is cancelled; undo restores both."""
    (pair,) = assistance_overlaps.list_overlaps(samar)
    before = {record: row.doc for record, row in rows(samar).items() if row.state.type == "benefit"}

    async def steps(pilot: Pilot[None], review: ReviewScreen) -> None:
        await pilot.press("1")
        assert assistance_overlaps.list_overlaps(samar) == []
        gone = rows(samar)[bytes.fromhex(pair.b.record.replace("-", ""))].doc
        assert gone.get("state") == "cancelled" or "_deleted" in gone
        await pilot.press("u")
        after = {record: rows(samar)[record].doc for record in before}
        assert {r: {k: v for k, v in doc.items() if k != "_decided"} for r, doc in after.items()} == before
        assert len(assistance_overlaps.list_overlaps(samar)) == 1
        await pilot.press("0")
        assert assistance_overlaps.list_overlaps(samar) == []
        assert review.walk.decided == 1

    play(samar, steps)


def test_pairs_need_the_right_to_decide_on_both(people: Cast, samar: Node) -> None:
    """A caseworker's queue has none."""
    assert queue.waiting_pairs(people.amal) == []
    assert [one.kind for one in queue.waiting_pairs(samar)] == [queue.OVERLAP, queue.DUPLICATE]


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_line_review_has_pairs(
    samar: Node, lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides with differences, one under the other, and the effect of each number; undo makes them a question again."""
    (pair,), (twice,) = duplicate_pairs.list_pairs(samar), assistance_overlaps.list_overlaps(samar)
    answers = iter(["1", "u", "n", "half each", "0", "7", "x", "1"])
    prompts = []

    def asked(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr("builtins.input", asked)
    out = Tables(lang)
    LineReview(out, samar, ConflictFilter(), queue.waiting_pairs(samar)).run_review()
    said = capsys.readouterr().out
    assert out.phrase("review_keys_overlap", n=2) + " " in prompts
    assert out.phrase("review_keys_duplicate", n=2) + " " in prompts
    assert max(map(len, prompts)) < 80
    for code in (twice.a.code, twice.b.code, pair.a_code, pair.b_code):
        assert out.phrase("pair_stays", code=code) in said
    assert all(word in said for word in ("الهلال الأحمر", "Al-Hassan", out.phrase("pair_two"), out.phrase("pair_both")))
    assert assistance_overlaps.list_overlaps(samar) == []
    assert history(samar, twice.a.record)[-1].note == "half each"
    assert duplicate_pairs.show_pair(samar, pair.a, pair.b).same
    assert said.count(out.phrase("review_place", n=1, total=2)) == 2
    assert out.phrase("review_done", decided=2, left=0) in said


def test_a_renewed_pair_gives_its_reason(samar: Node) -> None:
    """Marked as different, then both get one document: the question returns with that reason."""
    (one,) = [item for item in queue.waiting_pairs(samar) if item.kind == queue.DUPLICATE]
    out = Tables("en")
    duplicate_pairs.mark_distinct(samar, one.record.hex(), one.other.hex())
    assert question_of_pair(samar, out, one) is None
    for record in (one.record, one.other):
        save.edit_record(samar, record.hex(), Changes(put={"ids": ["national:SY:01010101010"]}))
    assert [item.kind for item in queue.waiting_pairs(samar)].count(queue.DUPLICATE) == 1
    question = question_of_pair(samar, out, one)
    assert question is not None
    assert question.why.endswith("some of this was added after they were marked as different")


def test_a_record_linked_to_both_is_listed_once(samar: Node) -> None:
    """Both kinds of aid name one family."""

    async def steps(pilot: Pilot[None], review: ReviewScreen) -> None:
        await pilot.press("o")
        await pilot.pause()
        assert seen(pilot.app).count("Household: الحسن") == 1
        await pilot.press("escape")

    play(samar, steps)


def answers_of(people: Cast) -> list[str]:
    """Have all laptops sync and the two caseworkers answer their questions; return what each was told of the pair."""
    for node in people.laptops * 2:
        sync(node, people.hq)
    told = []
    for node in (people.amal, people.basim):
        for one in [one for one in agenda.list_due(node) if one.what == "answer"]:
            told.append(str(queries.show(node, one.record).fields["what"]))
            returns.answer_question(node, one.record, f"I, {node.person}, saw it")
    for node in people.laptops * 2:
        sync(node, people.hq)
    return told


def test_h_on_a_pair_shows_both_histories(samar: Node) -> None:
    """Each record's heading, and below it who changed what."""
    (pair,) = [one for one in queue.waiting_pairs(samar) if one.kind == queue.DUPLICATE]
    codes = [queries.show(samar, record.hex()).code or "" for record in (pair.record, pair.other or b"")]

    async def steps(pilot: Pilot[None], _: ReviewScreen) -> None:
        await pilot.press("down", "h")
        await pilot.pause()
        lines = "\n".join(str(line) for panel in pilot.app.screen.query(TextPanel) for line in panel.lines(76))
        assert all(word in lines for word in (*codes, "Amal", "Basim"))

    play(samar, steps)


@pytest.mark.parametrize(("steps_down", "kind"), [(0, queue.OVERLAP), (1, queue.DUPLICATE)])
def test_a_pair_is_returned_with_a_question(people: Cast, samar: Node, steps_down: int, kind: str) -> None:
    """r asks both caseworkers, naming the pair; it waits last, then comes back with the answers; deciding closes the questions."""
    (before,) = [one for one in queue.waiting_pairs(samar) if one.kind == kind]
    codes = {queries.show(samar, record.hex()).code for record in (before.record, before.other)}

    async def ask(pilot: Pilot[None], review: ReviewScreen) -> None:
        await pilot.press(*["down"] * steps_down, "r", *"same?", "enter")
        await pilot.pause()
        assert "Asked: Amal, Basim. The pair waits for the answer." in seen(pilot.app)
        assert [one.kind for one in review.walk.waiting][-1] == kind

    play(samar, ask)
    (asked, *_) = queries.list_records(samar, "question")
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        Tables("en").record(samar, asked)
        Tables("en").history(samar, asked, history(samar, asked.id))
    assert "_not_same" not in shown.getvalue()
    assert sum(f"comparison with {code}" in shown.getvalue() for code in codes) == 1
    (waiting,) = [one for one in queue.waiting_pairs(samar) if one.kind == kind]
    assert waiting.rank == queue.RETURNED
    told = answers_of(people)
    assert len(told) == 2
    assert all(code in words for words in told for code in codes if code)
    (back,) = [one for one in queue.waiting_pairs(samar) if one.kind == kind]
    assert back.rank == before.rank
    play(samar, ask)  # once more, and nobody answers

    async def decide(pilot: Pilot[None], review: ReviewScreen) -> None:
        await pilot.press("end")
        assert "asked Amal: same? — I, Amal, saw it" in seen(pilot.app)
        await pilot.press("2" if kind == queue.OVERLAP else "0")

    play(samar, decide)
    assert answers_of(people) == []


def test_a_question_about_a_pair_is_asked_line_by_line(samar: Node) -> None:
    """As on the screen; an empty question is not sent."""
    typed = iter(["r", "", "r", "same?", "q"])
    out = Tables("en")
    said: list[str] = []
    out.ask = lambda _: next(typed)  # type: ignore[method-assign]
    out.line = lambda text="": said.append(text)  # type: ignore[method-assign]
    LineReview(out, samar, ConflictFilter(), queue.waiting_pairs(samar)).run_review()
    assert "↩ Asked: Amal, Basim. The pair waits for the answer." in said
    assert len(queries.list_records(samar, "question")) == 2


def test_a_question_names_records_of_other_units_by_code_only(people: Cast) -> None:
    """A caseworker of one unit does not read a name that was registered in another."""
    person(people.amal, JBL, AHMAD)
    person(people.basim, QRD, AGAIN)
    for node in people.laptops * 2:
        sync(node, people.hq)
    (pair,) = queue.waiting_pairs(people.samar)
    question = question_of_pair(people.samar, Tables("en"), pair)
    assert question is not None
    return_question(people.samar, Tables("en"), question, "same?")
    here = {one.code: one.unit for one in queries.list_records(people.samar, "person")}
    asked = queries.list_records(people.samar, "question")
    assert {one.unit for one in asked} == {JBL, QRD}
    for one in asked:
        (other,) = [code for code, unit in here.items() if unit != one.unit]
        assert str(one.fields["what"]).endswith(f" / {other}")


def test_nobody_else_to_ask(people: Cast) -> None:
    """The supervisor registered both records: a clear refusal, and no question."""
    for facts in (AHMAD, AGAIN):
        person(people.samar, JBL, facts)
    (pair,) = queue.waiting_pairs(people.samar)
    question = question_of_pair(people.samar, Tables("en"), pair)
    assert question is not None
    with pytest.raises(errors.IllegalValue):
        return_question(people.samar, Tables("en"), question, "same?")

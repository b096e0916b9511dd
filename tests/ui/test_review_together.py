"""The review screen beside other writers: another process, or a sync running at the same time."""

import asyncio
import builtins
from collections.abc import Awaitable, Callable, Iterator

import pytest
from textual.pilot import Pilot

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps, duplicate_pairs, queue
from fieldsync.review import decisions as reviews
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.ui.review import review_screen
from fieldsync.ui.review.line_review import LineReview
from fieldsync.ui.review.review_app import ReviewApp
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.views.tables import Tables
from tests.conftest import Cast
from tests.directly import sync
from tests.ui.screens import seen
from tests.ui.test_pairs_in_review import samar  # noqa: F401 - a fixture
from tests.ui.test_review_screen import add, disputed, edit, fields_of, meet  # noqa: F401 - a fixture

Steps = Callable[[Pilot[None], ReviewScreen], Awaitable[None]]
GONE, AGAIN = "Decided meanwhile by somebody else: 1.", "check again"


@pytest.fixture
def beside(people: Cast) -> Iterator[Node]:
    """Samar's store, open in a second process's way."""
    node = people.open("samar")
    yield node
    node.close()


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that looks for what others wrote all the time."""
    monkeypatch.setattr(review_screen, "_EVERY", 0.05)


def play(node: Node, steps: Steps, *, pairs: bool = False) -> ReviewApp:
    out = Tables("en")

    async def run() -> ReviewApp:
        app = ReviewApp(
            node, out, looks=(lambda progress: queue.waiting_pairs(node, progress=progress)) if pairs else None
        )
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await app.workers.wait_for_complete()
            await pilot.pause()
            await steps(pilot, app.review)
        return app

    return asyncio.run(run())


async def until(pilot: Pilot[None], text: str) -> None:
    for _ in range(1_000):  # however busy the machine is
        if text in seen(pilot.app):
            return
        await pilot.pause(0.05)
    raise AssertionError(f"no {text!r} on:\n{seen(pilot.app)}")


def test_the_shown_question_is_not_decided_twice(disputed: Cast, beside: Node) -> None:  # noqa: F811
    """Settled in another process while it is shown: one line says so, the next question opens, nothing is written."""
    node = disputed.samar
    first, second, *_ = queue.waiting_conflicts(node)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("down")
        reviews.decide_conflict(beside, second.record.hex(), second.field, value="resident")
        before = len(history(node, second.record.hex()))
        await pilot.press("n", *"seen", "enter", "1")
        assert GONE in seen(pilot.app)
        assert "seen" not in seen(pilot.app)  # that note was about another question
        assert "2 of 3" in seen(pilot.app)
        assert fields_of(node, second.record)["displacement"] == "resident"
        assert len(history(node, second.record.hex())) == before
        reviews.decide_conflict(beside, first.record.hex(), first.field, value=None)
        await pilot.press("home")
        assert GONE in seen(pilot.app)
        assert "1 of 2" in seen(pilot.app)

    app = play(node, steps)
    assert (app.review.walk.decided, app.review.walk.count_left()) == (0, 2)


def test_the_count_follows_other_processes(disputed: Cast, beside: Node, watchful: None) -> None:  # noqa: F811
    """The screen notices their writes: settled questions, new ones, and the one shown."""
    node = disputed.samar
    shown, *_, last = queue.waiting_conflicts(node)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        reviews.decide_conflict(beside, last.record.hex(), last.field, value="جبلة")
        await until(pilot, "1 of 3")
        assert GONE not in seen(pilot.app)  # that was not looked at
        reviews.decide_conflict(beside, shown.record.hex(), shown.field, value=None)
        await until(pilot, "1 of 2")
        assert GONE in seen(pilot.app)
        reviews.undo_decision(beside, last.record.hex(), last.field)
        await until(pilot, "1 of 3")

    play(node, steps)


def test_a_value_synced_meanwhile_is_shown_before_deciding(disputed: Cast, beside: Node) -> None:  # noqa: F811
    """A decision never covers a value that nobody has seen: it is shown first."""
    node = disputed.samar
    place = queue.waiting_conflicts(node)[2]

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("down", "down")
        edit(disputed, disputed.basim, place.record.hex(), location="طرطوس")
        sync(disputed.basim, disputed.hq)
        sync(beside, disputed.hq)
        await pilot.press("1")
        assert AGAIN in seen(pilot.app)
        assert "طرطوس" in seen(pilot.app)
        assert "3 of 4" in seen(pilot.app)
        await pilot.press("2")
        assert fields_of(node, place.record)["location"] == "طرطوس"

    assert play(node, steps).review.walk.decided == 1


def test_bulk_decisions_leave_out_settled_conflicts(disputed: Cast, beside: Node) -> None:  # noqa: F811
    """One is settled elsewhere between preview and decision: it stays so, the others are decided."""
    node = disputed.samar
    first, second = queue.waiting_conflicts(node, ConflictFilter(field="location"))

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("end", "a")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        reviews.decide_conflict(beside, first.record.hex(), "location", value="جبلة")
        await pilot.press("enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "Decided: 1." in seen(pilot.app)
        assert (fields_of(node, first.record)["location"], fields_of(node, second.record)["location"]) == (
            "جبلة",
            "حماة",
        )
        await pilot.press("u")
        assert fields_of(node, first.record)["location"] == "جبلة"

    app = play(node, steps)
    assert (app.review.walk.decided, app.review.walk.count_left()) == (0, 3)


def test_pairs_settled_or_removed_by_others(samar: Node, beside: Node) -> None:  # noqa: F811
    """Merged elsewhere, cancelled elsewhere, or gone from this laptop: reported in a line, without an error."""
    (pair,), (twice,) = duplicate_pairs.list_pairs(samar), assistance_overlaps.list_overlaps(samar)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        assert "1 of 2" in seen(pilot.app)
        assistance_overlaps.cancel_record(beside, twice.b.record, "entered twice")
        await pilot.press("2")
        assert GONE in seen(pilot.app)
        assert "1 of 1" in seen(pilot.app)
        assert "_deleted" not in duplicate_pairs.show_unmerged(samar, twice.a.record).fields
        duplicate_pairs.merge_records(beside, pair.a, pair.b)
        await pilot.press("0")
        assert GONE in seen(pilot.app)
        assert "No conflicts" in seen(pilot.app)
        assert duplicate_pairs.show_pair(samar, pair.a, pair.b).same

    app = play(samar, steps, pairs=True)
    assert (app.review.walk.decided, app.review.walk.count_left()) == (0, 0)


def test_a_pair_with_a_departed_record(samar: Node, beside: Node) -> None:  # noqa: F811
    """A sync purges one record of a pair in the queue."""
    (pair,) = duplicate_pairs.list_pairs(samar)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        with beside.store.write() as tx:
            tx.purge_records(tx.rows([bytes.fromhex(pair.b.replace("-", ""))]).values())
        await pilot.press("down")
        assert GONE in seen(pilot.app)
        assert "1 of 1" in seen(pilot.app)

    play(samar, steps, pairs=True)


def test_a_merge_settles_the_other_pairs_of_the_merged_record(people: Cast, samar: Node) -> None:  # noqa: F811
    """Three records of one man are three pairs; an undo restores them."""
    given = {
        "given": "أحمد",
        "father": "محمد",
        "family": "الحسن",
        "grandfather": "سليم",
        "birth_date": "1990-05-12",
        "sex": "m",
    }
    save.add_record(
        people.amal, "person", Changes(set={**given, "birth_precision": "day", "alive": "alive"}), unit="LAT/JBL"
    )
    meet(people)
    before = len(queue.waiting_pairs(samar))
    assert before == 4

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("down", "1")
        assert len(screen.walk.pairs) == len(queue.waiting_pairs(samar)) < before - 1
        assert GONE not in seen(pilot.app)
        await pilot.press("u")
        assert len(screen.walk.pairs) == len(queue.waiting_pairs(samar)) == before

    play(samar, steps, pairs=True)


def test_line_review_notices_other_writers(
    disputed: Cast,  # noqa: F811
    beside: Node,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Settled questions and new values are noticed between two prompts."""
    node = disputed.samar
    first, _, third, fourth = queue.waiting_conflicts(node)

    def newer() -> None:
        edit(disputed, disputed.basim, fourth.record.hex(), location="طرطوس")
        sync(disputed.basim, disputed.hq)
        sync(beside, disputed.hq)

    answers: list[tuple[Callable[[], object], str]] = [
        (lambda: reviews.decide_conflict(beside, first.record.hex(), first.field, value=None), "1"),
        (lambda: reviews.decide_conflict(beside, third.record.hex(), "location", value="x"), "s"),
        (newer, "0"),
        (lambda: reviews.undo_decision(beside, third.record.hex(), "location"), "q"),
    ]

    def asked(_prompt: str) -> str:
        does, answer = answers.pop(0)
        does()
        return answer

    monkeypatch.setattr(builtins, "input", asked)
    LineReview(Tables("en"), node, ConflictFilter()).run_review()
    said = capsys.readouterr().out
    assert said.count(GONE) == 2
    assert AGAIN in said
    assert "طرطوس" in said.rpartition(AGAIN)[2]
    assert "Decided: 0. Left open: 3." in said

"""Bulk merges on the screen: previewed, undone by one key, refused where past decisions disagreed."""

from textual.pilot import Pilot

from fieldsync.review import duplicate_pairs
from fieldsync.review.duplicate_bulk import ENOUGH
from fieldsync.ui.review.review_screen import ReviewScreen
from fieldsync.ui.widgets.dialogs import ConfirmDialog, NoticeDialog
from tests.conftest import Cast
from tests.review.test_duplicate_bulk import decide, twice  # noqa: F401 - a fixture
from tests.ui.screens import seen
from tests.ui.test_pairs_in_review import play


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, and wait for what they do beside the screen."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def test_equally_likely_pairs_are_merged_and_split_again(twice: Cast) -> None:  # noqa: F811
    """The preview names both records of each pair and the reasons; Enter merges, u splits all again."""
    samar = twice.samar
    decide(samar, ENOUGH)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("end", "a")
        for _ in range(200):
            await pilot.pause(0.02)
            if isinstance(pilot.app.screen, ConfirmDialog):
                break
        assert "and more: 3 pairs will be merged" in seen(pilot.app)
        await press(pilot, "enter")
        assert (len(screen.walk.waiting), screen.walk.decided) == (0, 3)
        assert duplicate_pairs.list_pairs(samar, type="person") == []
        await press(pilot, "u")
        assert (len(screen.walk.waiting), screen.walk.decided) == (3, 0)

    play(samar, steps)
    assert len(duplicate_pairs.list_pairs(samar, type="person")) == 3


def test_a_bulk_merge_is_refused_where_decisions_disagreed(twice: Cast) -> None:  # noqa: F811
    """With the numbers and the alternative; nothing is merged."""
    decide(twice.samar, ENOUGH, apart=1)

    async def steps(pilot: Pilot[None], screen: ReviewScreen) -> None:
        await pilot.press("a")
        for _ in range(200):
            await pilot.pause(0.02)
            if isinstance(pilot.app.screen, NoticeDialog):
                break
        assert f"{ENOUGH} were merged and 1 marked as different" in " ".join(seen(pilot.app).replace("│", " ").split())
        await press(pilot, "escape")
        assert screen.walk.decided == 0

    play(twice.samar, steps)

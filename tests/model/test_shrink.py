"""Shrinking: what a failing history does not need goes, also of a whole tree; nested steps become their parts."""

import pytest

from tests.model import month, stories
from tests.model.endings import ENDINGS, End
from tests.model.operations import Step
from tests.model.shrink import WISHED, plainer, records, shrink
from tests.model.world import Broken, World

EDIT = Step("edit", {"who": "amal", "record": "shelter 1", "fields": {"name": "12", "place": "12"}})
SYNC = Step("sync", {"who": "amal", "server": "jbl", "cut": None})


def test_a_failing_day_of_the_whole_tree_becomes_a_short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """A promise that nobody makes: no shelter with beds is visited. A shelter that breaks it needs a few steps."""

    def planted(world: World, end: End) -> None:
        for record, row in end.rows.items():
            if row.doc.get("beds") and row.doc.get("visits"):
                raise Broken("planted", f"{world.label_of(record)} was visited")

    monkeypatch.setitem(ENDINGS, "planted", planted)
    days = (month.live_month(seed, 1) for seed in range(10))  # not every day has such a shelter
    failure = next(filter(None, days), None)
    assert failure is not None
    short = shrink(failure)
    assert short.check == "planted"
    assert [step.operation for step in short.steps if step.operation not in ("visit", "edit")] in ([], ["add"])
    assert len(short.steps) <= 4


def test_nested_steps_become_their_parts() -> None:
    """Of a sync with something else meanwhile, both, in either order, or the other alone; of trouble with a disk what was done."""
    beside = Step("sync_meanwhile", {"who": "amal", "server": "jbl", "after": 2, "step": EDIT.json()})
    assert plainer(beside) == [(EDIT,), (SYNC, EDIT), (EDIT, SYNC)]
    assert plainer(Step("full_disk", {"who": "jbl", "room": 0, "during": beside.json()})) == [(beside,)]
    assert records(beside) == {"shelter 1"}


def test_lines_and_edits_become_plainer() -> None:
    """Lines that are not cut, and one field at a time."""
    cut = SYNC._replace(arguments={**SYNC.arguments, "cut": 1.5})
    assert plainer(cut) == [(SYNC,)]
    assert plainer(SYNC) == []
    assert [step.arguments["fields"] for (step,) in plainer(EDIT)] == [{"name": "12"}, {"place": "12"}]
    night = Step("night", {"branch": "jbl", "cut": 0.5})
    assert plainer(night) == [(Step("night", {"branch": "jbl", "cut": None}),)]


def test_kept_stories_are_short() -> None:
    """Each tells what went wrong in so many steps at most, those that happen meanwhile counted."""
    assert {story.name: len(story.steps) for story in stories.kept() if len(story.steps) > WISHED} == {}

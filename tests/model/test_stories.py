"""The kept stories, played again."""

from pathlib import Path

import pytest

from tests.model import stories
from tests.model.history import play


@pytest.mark.parametrize("file", sorted(stories.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_past_failures_do_not_return(file: Path) -> None:
    """Each story failed in some version, as its file and README.md describe."""
    story = stories.load(file)
    failure = play(story.seed, story.people, story.steps)
    assert failure is None, f"{failure.check}: {failure.what}\n{stories.told(story.steps)}"

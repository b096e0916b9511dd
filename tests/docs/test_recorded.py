"""The recorded tour can be recorded: the keys do what the picture shows, and it fetches nothing from anywhere."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from docs import recorded
from fieldsync.review import duplicate_pairs, queue


def test_the_tour_of_the_review_screen(tmp_path: Path) -> None:
    """A place is decided, an overlap decided and taken back, both are right of none; two records of one man become one."""
    office = recorded.office(tmp_path)
    assert [one.kind for one in queue.waiting_pairs(office.samar)] == [queue.OVERLAP, queue.DUPLICATE]
    pictures = recorded.frames(office.samar)
    assert len(set(pictures)) > len(pictures) // 2
    made = recorded.moving(pictures)
    assert len(ET.fromstring(made)) == len(pictures)
    assert duplicate_pairs.list_pairs(office.samar) == []
    assert queue.waiting_conflicts(office.samar) == []


def test_the_published_picture_shows_every_step() -> None:
    """And no font or script from elsewhere."""
    there = recorded.FILE.read_text(encoding="utf-8")
    assert there.count("<animate ") == len(recorded._STEPS)
    assert not re.search(r"url\(\"?http|href=\"http|<script", there)

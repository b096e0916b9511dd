"""Forms on a full screen when something is in the way: no room, others' changes, a fault of ours."""

import pytest

from fieldsync import errors
from fieldsync.sync import drafts
from fieldsync.sync.node import Node
from tests.conftest import Cast
from tests.ui.test_forms import Person, fill, new


def no_room(node: Node) -> None:
    """From now on the store may not grow by a page."""
    connection = node.store._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    if free:
        connection.execute("CREATE TABLE filler (x)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(?))", (free * 4096,))


def room(node: Node) -> None:
    """There is room again."""
    node.store._writer.execute("PRAGMA max_page_count = 100000000")


def test_a_full_disk_does_not_end_a_form(people: Cast) -> None:
    """It is said that what is typed cannot be kept; nothing is left behind unasked, and with room again all of it is saved."""
    amal = people.amal

    async def steps(person: Person) -> None:
        no_room(amal)
        person.question("address").line.insert_text_at_cursor("ع" * 900)  # pasted
        await person.until(lambda: "cannot be kept for later now: The disk is full" in person.seen)
        await person.press("ctrl+c")
        assert person.app.is_running
        assert "The disk is full" in person.seen
        await person.press("ctrl+s")
        await person.until(lambda: "Make some room" in person.seen)
        room(amal)
        await person.until(lambda: drafts.kept(amal, "draft household") is not None)
        await person.press("ctrl+c")

    assert fill(new(amal, "household"), steps) is None
    left = drafts.kept(amal, "draft household")
    assert left is not None
    assert left["answers"]["address"] == "ع" * 900


def test_a_fault_in_a_form_is_raised_not_printed(people: Cast, capfd: pytest.CaptureFixture[str]) -> None:
    """What ends the screen comes out as the error that it is; the library's traceback would show what people are called."""
    app = new(people.amal, "household")
    app.filling.doc["family_name"] = "القصير"

    def breaks() -> None:
        raise errors.DiskFull

    app.call_later(breaks)
    with pytest.raises(errors.DiskFull):
        app.show(headless=True)
    shown = capfd.readouterr()
    assert "القصير" not in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err

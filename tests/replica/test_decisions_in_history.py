"""A record's history names what was decided, over whose values, and what was taken back, wherever it is read."""

from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import SavedChange, history
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.ui.views.tables import Tables
from tests import directly
from tests.conftest import Cast


def everybody(people: Cast) -> None:
    """Have all laptops sync until all know all."""
    for node in (*people.laptops, *people.laptops):
        directly.sync(node, people.hq)


def disputed(people: Cast) -> str:
    """A family whose place Amal and Basim wrote without knowing of each other."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"})).hex()
    everybody(people)
    for node, place in ((people.amal, "حمص"), (people.basim, "حماة")):
        save.edit_record(node, home, Changes(set={"location": place}))
    everybody(people)
    return home


def decided(node: Node, home: str) -> list[tuple[str, str, list[tuple[object, str]]]]:
    """Return who decided which fields over whose values."""
    return [
        (entry.by, one.field, [(head.value, head.by) for head in one.over])
        for entry in history(node, home)
        for one in entry.decided or ()
    ]


def test_a_decision_is_named_on_every_node(people: Cast) -> None:
    """Samar's own, the headquarters', and that of Amal, who has only heard of it."""
    home = disputed(people)
    decisions.decide_conflict(people.samar, home, "location", value="حمص")
    everybody(people)
    for node in (people.samar, people.hq, people.amal):
        assert decided(node, home) == [("Samar", "location", [("حماة", "Basim")])]


def test_what_was_taken_back_is_named(people: Cast) -> None:
    """On nodes that have its commit; those that only hear of it have the values again, and nothing to name."""
    home = disputed(people)
    decisions.decide_conflict(people.samar, home, "location", value="طرطوس")
    decisions.undo_decision(people.samar, home, "location")
    everybody(people)
    assert decided(people.hq, home) == [("Samar", "location", [("حمص", "Amal"), ("حماة", "Basim")])]
    for node in (people.samar, people.hq):
        assert [entry.undone for entry in history(node, home) if entry.undone] == [["location"]]


def test_people_read_it_in_words(people: Cast) -> None:
    """In both languages, with the field's label; what was shown all along has no arrow to itself."""
    home = disputed(people)
    (item,) = decisions.conflicts_of(people.samar, home)
    place = queries.show(people.samar, home).fields["location"]
    shown = next(head for head in item.heads if head.value == place)
    decisions.decide_conflict(people.samar, home, "location", head=shown.name)
    kind = people.samar.schema.type("household")
    entry: SavedChange = history(people.samar, home)[-1]
    said = {lang: list(Tables(lang).decision_words(kind, entry)) for lang in ("en", "ar")}
    loser = next(head for head in item.heads if head != shown)
    assert said["en"] == [f"⚖ decided: Current place, not {loser.value} ({loser.by})"]
    assert said["ar"] == [f"⚖ بُتّ فيه: مكان السكن الحالي، وليس {loser.value} ({loser.by})"]
    assert Tables("en").change(kind, "location", entry.changes["location"])[0] is None

"""Decisions in history: who decided, over which values, and what was undone, on every node."""

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
    """On Samar's laptop, at headquarters, and on Amal's, which only received it."""
    home = disputed(people)
    decisions.decide_conflict(people.samar, home, "location", value="حمص")
    everybody(people)
    for node in (people.samar, people.hq, people.amal):
        assert decided(node, home) == [("Samar", "location", [("حماة", "Basim")])]


def test_an_undone_decision_is_named(people: Cast) -> None:
    """On nodes with its commit; other nodes show the restored values only."""
    home = disputed(people)
    decisions.decide_conflict(people.samar, home, "location", value="طرطوس")
    decisions.undo_decision(people.samar, home, "location")
    everybody(people)
    assert decided(people.hq, home) == [("Samar", "location", [("حمص", "Amal"), ("حماة", "Basim")])]
    for node in (people.samar, people.hq):
        assert [entry.undone for entry in history(node, home) if entry.undone] == [["location"]]


def test_decisions_are_displayed_in_both_languages(people: Cast) -> None:
    """With the field's label; an unchanged value has no arrow."""
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

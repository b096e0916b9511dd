"""Statistics of decisions: their duration, and agreement between supervisors."""

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.reports import run
from fieldsync.review import decisions
from fieldsync.review.decision_log import logged_decisions
from tests import directly
from tests.cast import JBL, QRD, Clock, join_directly, open_node
from tests.conftest import Cast

SECOND = 1_000
OCTOBER = 1_793_000_000_000  # in October 2026


def everybody(people: Cast, *more: Node) -> None:
    """Have all laptops sync until all know all."""
    for node in (*people.laptops, *more) * 2:
        directly.sync(node, people.hq)


def disputed(people: Cast, unit: str, count: int) -> list[str]:
    """Add families whose places two people wrote without knowing of each other."""
    homes = [
        save.add_record(people.basim, "household", Changes(set={"family_name": "الحسن"}), unit=unit).hex()
        for _ in range(count)
    ]
    everybody(people)
    for node, place in ((people.basim, "حمص"), (people.samar, "حماة")):
        for home in homes:
            save.edit_record(node, home, Changes(set={"location": place}))
    everybody(people)
    return homes


def decide(node: Node, home: str, value: str) -> None:
    """Decide for a value."""
    decisions.decide_conflict(node, home, "location", value=value)


def test_a_decision_s_duration_is_the_time_between_saves(people: Cast, clock: Clock) -> None:
    """Pauses do not count, and of several in one save none took any time."""
    clock.now = OCTOBER
    homes = disputed(people, JBL, 5)
    for pause, home in zip((3_600 * SECOND, 20 * SECOND, 40 * SECOND), homes, strict=False):
        clock.tick(pause)
        decide(people.samar, home, "حمص")
    clock.tick(3_600 * SECOND)
    decisions.decide_conflicts(people.samar, [decisions.Decision(home, "location", value="حمص") for home in homes[3:]])
    assert [one.seconds for one in logged_decisions(people.samar)] == [None, 20.0, 40.0, None, None]
    everybody(people)
    assert [one.seconds for one in logged_decisions(people.hq)] == [None, 20.0, 40.0, None, None]
    assert logged_decisions(people.amal) == []


def test_agreement_of_two_supervisors_is_counted(people: Cast, clock: Clock) -> None:
    """On one conflict decided independently; one person's changed mind is not a disagreement."""
    clock.now = OCTOBER
    join_directly(people.hq, people.home / "zaid", "Zaid", "supervisor", ["LAT"])
    zaid = open_node(people.home / "zaid", clock)
    first, second = disputed(people, JBL, 2)
    (third,) = disputed(people, QRD, 1)
    everybody(people, zaid)
    for home, his in ((first, "حمص"), (second, "طرطوس")):
        clock.tick(SECOND)
        decide(people.samar, home, "حمص")
        clock.tick(SECOND)
        decide(zaid, home, his)
    decide(people.samar, third, "حمص")
    decisions.undo_decision(people.samar, third, "location")
    decide(people.samar, third, "حماة")
    everybody(people, zaid)
    found = logged_decisions(people.hq)
    assert [(one.by, one.agrees) for one in found if one.second] == [("Zaid", True), ("Zaid", False)]
    assert len(logged_decisions(people.hq, QRD)) == 2

    rows = {row["what"]: row for row in run.make_report(people.hq, "quality", month="2026-10").rows}
    assert (rows["agreed"]["n"], rows["agreed"]["whole"], rows["agreed"]["share"]) == (1, 2, 50.0)
    assert (rows["decisions"]["n"], rows["decisions"]["seconds"]) == (6, 1)
    rows = {row["what"]: row for row in run.make_report(people.hq, "quality", month="2026-09").rows}
    assert (rows["decisions"]["n"], rows["decisions"]["seconds"]) == (0, None)
    zaid.close()

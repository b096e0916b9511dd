"""Issued months stay unchanged; late arrivals are shown beside them, and the sums match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.reports import definitions, run
from fieldsync.reports.period import Period
from tests.conftest import Cast
from tests.reports.desk import OCTOBER, Desk
from tests.reports.test_monthly import Month
from tests.scale import examples

ROWS = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6)
HEADER = """/*
label = { en = "Counts", ar = "أعداد" }
[columns]
row = { en = "Row", ar = "سطر", kind = "text" }
this = { en = "This", ar = "هذا", kind = "count" }
last = { en = "Last", ar = "السابق", kind = "count", as_issued = ["this", 1] }
*/
SELECT 1"""
COUNTS = definitions.Report("counts", definitions.parse_header("counts", HEADER), HEADER, own=True)


def _rows(table: dict[str, tuple[int, int]]) -> list[dict[str, object]]:
    return [{"row": row, "this": this, "last": last} for row, (this, last) in table.items()]


@given(ROWS, ROWS)
@examples(60)
def test_issued_and_late_figures_sum_to_the_present_ones(issued: dict, now: dict) -> None:
    """In every cell, whichever rows were added or removed since."""
    shown = run.compare_with_issued(COUNTS, _rows(issued), _rows(now), {"this": "this", "last": "last"})

    for row in shown:
        was, counted = issued.get(row["row"], (0, 0)), now.get(row["row"], (0, 0))
        late = row.get("late", {})
        assert (row["this"], row["last"]) == was
        assert (row["this"] + late.get("this", 0), row["last"] + late.get("last", 0)) == counted
        assert 0 not in late.values()
    assert {row["row"] for row in shown} == issued.keys() | now.keys()


@given(ROWS, ROWS)
@examples(60)
def test_issued_and_late_figures_sum_in_the_next_issue(before: dict, now: dict) -> None:
    """The previous month's column shows its issued figures; with late ones they equal the present count."""
    shown = run.compare_with_issued(COUNTS, _rows(before), _rows(now), {"last": "this"}, only=True)

    for row in shown:
        assert row["last"] == before.get(row["row"], (0, 0))[0]
        assert row["last"] + row.get("late", {}).get("last", 0) == now.get(row["row"], (0, 0))[1]
        assert row["this"] == now.get(row["row"], (0, 0))[0]
    assert sum(row["last"] for row in shown) == sum(this for this, _ in before.values())


def test_a_late_laptop_adds_to_an_issued_month(people: Cast) -> None:
    """October has two statements; the one that Amal brings in November shows as +1 there and in November's."""
    month = Month(people)
    for day in ("2026-10-03", "2026-10-04"):
        month.statement(month.samar, day)
    month.sync()
    late = month.statement(month.amal, "2026-10-30")
    told = run.issue_reports(people.hq, Period(OCTOBER, people.hq.today()), None)
    assert {"monthly", "aid", "coverage", "overdue"} <= set(told.issued)
    assert "sync" not in told.issued

    month.sync()
    month.statement(month.amal, "2026-11-01")
    month.sync()

    october = {row["figure"]: row for row in month.hq.report("monthly").rows}["statements"]
    assert (october["this"], october["late"]["this"]) == (2, 1)
    assert month.hq.report("monthly").issued.by == people.hq.person
    november = {row["figure"]: row for row in month.hq.report("monthly", month="2026-11").rows}["statements"]
    assert (november["this"], november["last"], november["late"]) == (1, 2, {"last": 1})
    assert november["ytd"] == 4

    month.samar.edit(late, state="void")
    month.sync()
    october = {row["figure"]: row for row in month.hq.report("monthly").rows}["statements"]
    assert "late" not in october


def test_an_issued_month_cannot_be_changed(people: Cast) -> None:
    """Issued again it stays the same; a running month cannot be issued, nor by somebody without permission."""
    month = Month(people)
    asked = Period(OCTOBER, people.hq.today())
    run.issue_reports(people.hq, asked, None, ["monthly"])
    month.statement(month.amal, "2026-10-03")
    month.sync()

    assert run.issue_reports(people.hq, asked, None, ["monthly"]) == run.IssuedReports(OCTOBER, None, [], ["monthly"])
    assert month.hq.figures("monthly", key="figure")["statements"] == 0
    with pytest.raises(errors.Usage):
        run.issue_reports(people.hq, Period("2026-11", people.hq.today()), None)
    with pytest.raises(errors.RoleRefused):
        run.issue_reports(people.amal, asked, None)
    assert Desk(people.amal).report("monthly").issued is None

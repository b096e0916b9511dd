"""Reports for use outside: no small number, none that can be computed, no internal column or row."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.reports import definitions, disclosure_control
from tests.conftest import Cast
from tests.reports.desk import Desk
from tests.reports.test_monthly import Month
from tests.scale import examples

HEADER = """/*
label = { en = "Counts", ar = "أعداد" }
[columns]
row = { en = "Row", ar = "سطر", kind = "word" }
all = { en = "All", ar = "الكل", kind = "count", parts = ["f", "m"] }
f = { en = "F", ar = "إناث", kind = "count" }
m = { en = "M", ar = "ذكور", kind = "count" }
share = { en = "%", ar = "٪", kind = "share", whole = "all" }
*/
SELECT 1"""
COUNTS = definitions.Report("counts", definitions.parse_header("counts", HEADER), HEADER, own=True)
PEOPLE = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=2)


def _table(people: dict[str, tuple[int, int]]) -> list[dict]:
    rows = [{"row": row, "all": f + m, "f": f, "m": m, "share": 10.0} for row, (f, m) in people.items()]
    total = {name: sum(row[name] for row in rows) for name in ("all", "f", "m")}
    return [*rows, {"row": "total", **total, "share": 10.0}]


@given(PEOPLE)
@examples(100)
def test_suppressed_numbers_cannot_be_computed(people: dict) -> None:
    """Neither across a row nor down a column is exactly one number missing, unless all others are zero."""
    rows = _table(people)

    hidden = disclosure_control.hidden_columns(COUNTS, rows)

    for row, names in zip(rows, hidden, strict=True):
        assert all(name in names for name in ("all", "f", "m") if 0 < row[name] < disclosure_control.SMALL)
        missing = names & {"all", "f", "m"}
        assert len(missing) != 1 or sum(row[name] > 0 for name in ("all", "f", "m")) == 1
        assert ("all" not in names) or ("share" in names)
    for name in ("all", "f", "m"):
        missing = [row for row, names in zip(rows, hidden, strict=True) if name in names]
        assert len(missing) != 1 or sum(row[name] > 0 for row in rows) == 1
    assert not any(hidden) or any(
        0 < row[name] < disclosure_control.SMALL for row in rows for name in ("all", "f", "m")
    )


def test_aid_by_provider_leaves_with_four_columns_and_agreements_only(people: Cast) -> None:
    """Other organisations see household number, kind, month and provider, only of providers with an agreement."""
    month = Month(people)
    month.hq.edit(month.bir, agreement_until="2027-01-01")
    for provider in (month.bir, month.wafa):
        month.samar.add(
            "benefit",
            recipient=month.home,
            period="2026-10",
            kind="food",
            provider=provider,
            quantity=1,
            state="received",
        )
    month.sync()
    aid = definitions.find_report(people.hq.home, "aid")

    told = disclosure_control.suppress_small(aid, month.hq.report("aid"))

    assert [one.name for one in told.columns] == ["household", "kind", "month", "provider"]
    assert [set(row) for row in told.rows] == [{"household", "kind", "month", "provider"}]
    assert told.rows[0]["provider"] == "جمعية البر"
    assert told.left_out == 1


def test_workers_names_stay_inside(people: Cast) -> None:
    """Overdue tasks and caseloads leave without workers' names and record codes."""
    for name in ("overdue", "caseload"):
        report = definitions.find_report(people.hq.home, name)
        told = disclosure_control.suppress_small(report, Desk(people.hq).report(name))
        assert not {"worker", "record"} & {one.name for one in told.columns}

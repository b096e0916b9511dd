"""An organisation's own report: one file; it reads only the views. Report files contain no formula."""

import io

import openpyxl
import pytest

from fieldsync import errors
from fieldsync.exchange.tables import report_files
from fieldsync.reports import definitions, run
from tests.cast import JBL
from tests.conftest import Cast
from tests.reports.desk import Desk

HEADER = """/*
label = { en = "Ours", ar = "لنا" }
MORE
[columns]
name = { en = "Name", ar = "الاسم", kind = "text" }
n = { en = "N", ar = "عدد", kind = "count" }
*/
"""
TRICKS = {
    "the private key": "SELECT value AS name, 1 AS n FROM meta",
    "the private key, by its schema": "SELECT value AS name, 1 AS n FROM main.meta",
    "the log": "SELECT body AS name, 1 AS n FROM commit_log",
    "raw documents": "SELECT doc AS name, 1 AS n FROM record",
    "a with that calls itself a view": "WITH person AS (SELECT value FROM meta) SELECT value AS name, 1 AS n FROM person",
    "a quoted one": 'WITH "person" (value) AS MATERIALIZED (SELECT value FROM meta) SELECT value AS name, 1 AS n FROM person',
    "one behind a comment": "WITH person/**/AS/**/(SELECT value FROM meta) SELECT value AS name, 1 AS n FROM person",
    "one with a comment for columns": "WITH person/*x*/(value)/*y*/AS/*z*/(SELECT value FROM meta) SELECT value AS name, 1 AS n FROM person",
    "raw documents, by a with behind comments": "WITH person/**/AS/**/(SELECT doc FROM record) SELECT doc AS name, 1 AS n FROM person",
    "the same between strings that look like comments": (
        "WITH x AS (SELECT '/*' AS a), person/**/AS (SELECT doc FROM record) SELECT doc AS name, 1 AS n FROM person, x WHERE a <> '*/'"
    ),
    "the same with a bracket in a column's name": (
        'WITH person ("a)") AS (SELECT doc FROM record) SELECT "a)" AS name, 1 AS n FROM person'
    ),
    "another file": "ATTACH 'x.db' AS x",
    "writing": "DELETE FROM record",
    "a pragma": "PRAGMA writable_schema = 1",
    "two statements": "SELECT 1 AS name, 1 AS n; SELECT 2",
    "an extension": "SELECT load_extension('x') AS name, 1 AS n",
    "a sealed field": "SELECT reason AS name, 1 AS n FROM referral",
    "a sealed field of a sheet": "SELECT account AS name, count(*) AS n FROM violation_report GROUP BY account",
}


def ours(people: Cast, query: str, more: str = "") -> None:
    """Put a report of the office's own beside its store."""
    folder = people.hq.home / definitions.FOLDER
    folder.mkdir(exist_ok=True)
    (folder / "ours.sql").write_text(HEADER.replace("MORE", more) + query, encoding="utf-8")


def test_one_file_adds_a_report(people: Cast) -> None:
    """It is listed and run, and updated by report tables like the shipped ones."""
    ours(people, "SELECT family_name AS name, count(*) AS n FROM household GROUP BY 1")
    desk = Desk(people.hq)
    desk.add("household", JBL, family_name="الحسن")
    assert definitions.available_reports(people.hq.home)["ours"].own
    assert [(row["name"], row["n"]) for row in desk.report("ours").rows] == [("الحسن", 1)]
    desk.add("household", JBL, family_name="الحسن")
    assert [(row["name"], row["n"]) for row in desk.report("ours").rows] == [("الحسن", 2)]


@pytest.mark.parametrize(
    ("query", "totals"),
    [
        ("SELECT 'all' AS name, sum(income_monthly) AS n FROM household", [2.0**64]),
        (
            "SELECT 'few' AS name, sum(income_monthly) FILTER (WHERE income_monthly < 9) AS n, sum(income_monthly) FROM household",
            [7],
        ),
        ("SELECT 'none' AS name, sum(NULL) AS n, sum(income_monthly) FROM household", [None]),
        (
            "SELECT 'window' AS name, sum(income_monthly) OVER (ORDER BY income_monthly ROWS 1 PRECEDING) AS n FROM household ORDER BY n",
            [7, 2.0**63, 2.0**64],
        ),
    ],
)
def test_sums_beyond_the_largest_integer_are_rounded(people: Cast, query: str, totals: list[float]) -> None:
    """Amounts of 19 digits do not stop a report."""
    ours(people, query)
    desk = Desk(people.hq)
    for income in (7, 2**63 - 1, 2**63 - 1):
        desk.add("household", JBL, family_name="الحسن", income_monthly=income, income_currency="SYP")
    assert [row["n"] for row in desk.report("ours").rows] == totals


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("who", ["hq", "amal"])
def test_a_report_reads_only_the_views(people: Cast, trick: str, who: str) -> None:
    """Keys, the log, raw documents, sealed fields and writing are refused with one clear line."""
    ours(people, TRICKS[trick])
    node = getattr(people, who)
    report = definitions.find_report(people.hq.home, "ours")
    with pytest.raises(errors.ReportFault):
        run.count_rows(node, report, run.period.period_of("2026-10", None, node.today()), None)


def test_a_sealed_report_may_count_by_sealed_fields(people: Cast) -> None:
    """Declared in its header."""
    ours(people, "SELECT 'all' AS name, count(reason) AS n FROM referral", more="sealed = true")
    assert Desk(people.hq).figures("ours", "n") == {"all": 0}


def test_an_endless_query_is_stopped(people: Cast) -> None:
    """By a time limit."""
    ours(
        people,
        "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT 'x' AS name, count(*) AS n FROM c",
    )
    with pytest.raises(errors.ReportFault) as told:
        run.make_report(people.hq, "ours", month="2026-10", seconds=0.2)
    assert told.value.facts["reason"] == "slow"


def test_hostile_names_stay_text_in_files(people: Cast) -> None:
    """A name that is a formula is text in CSV and XLSX, and control characters are written out."""
    names = ['=HYPERLINK("http://x")', "+1+1", "@SUM(A1)", "-2+3"]
    desk = Desk(people.hq)
    made = [desk.add("organisation", "LAT", name_ar=f"جمعية {n}", kind="charity") for n in names]
    assert made
    values = " UNION ALL SELECT ".join("'" + name.replace("'", "''") + "', 1" for name in [*names, "a\x1b[2Jb"])
    ours(
        people,
        f"SELECT column1 AS name, column2 AS n FROM (SELECT {values.replace(', 1', ' AS column1, 1 AS column2', 1)})",
    )
    report = definitions.find_report(people.hq.home, "ours")
    document = desk.report("ours")
    rows = list(report_files.report_table(report, people.hq.schema, document, "ar"))

    text = report_files.csv_bytes(rows).decode("utf-8-sig")
    assert not [line for line in text.splitlines() if line.lstrip('"')[:1] in "=+@-"]
    sheet = openpyxl.load_workbook(io.BytesIO(report_files.xlsx_bytes(rows, "ours", rtl=True))).active
    cells = [sheet.cell(row, 1) for row in range(2, sheet.max_row + 1)]
    assert [cell.data_type for cell in cells] == ["s"] * len(cells)
    assert [cell.value for cell in cells][:4] == names
    assert cells[4].value == "a⟨U+001B⟩[2Jb"
    assert sheet.sheet_view.rightToLeft

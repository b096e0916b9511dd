"""Report tables on a server always agree with the records."""

import datetime as dt
import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.exchange.tables import report_files
from fieldsync.replica import save, transfer
from fieldsync.replica.node import Node
from fieldsync.reports import definitions, run, table_refresh
from fieldsync.reports.period import Period
from fieldsync.review.decision_log import LoggedDecision
from tests import cast
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.reports.desk import Desk
from tests.scale import examples

# of the tables in a store's file; test_database_tables.py has those beside a database
pytestmark = pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)
SHOWN = ("coverage", "quality", "changes")
STEPS = st.lists(
    st.tuples(st.sampled_from(("person", "home", "edit", "move", "remove", "merge", "look", "report")), st.integers(0, 30)),
    min_size=8, max_size=16,
)  # fmt: skip


def plainly(node: Node, name: str, unit: str | None) -> list[tuple[object, ...]]:
    """Count a report from the records themselves."""
    report, asked = definitions.find_report(node.home, name), Period("2026-10", node.today())
    figures = node.store.open_report_reader(run.report_views(node.schema), unit, sheets=False)
    figures.fill_table("period", ("name", "since", "until"), asked.spans())
    figures.fill_table("logged_decision", LoggedDecision._fields, ())  # nobody decides in this
    facts = {"since": asked.first_day, "until": asked.end_day, "as_at": asked.as_at}
    columns, rows = figures.run_query(report.sql, facts, name=name, sealed=False)
    figures.close()
    return [tuple(row[columns.index(column)] for column in report.header.columns) for row in rows]


def by_sheets(node: Node, name: str, unit: str | None) -> list[tuple[object, ...]]:
    """Count it as the command does."""
    rows = run.count_rows(node, definitions.find_report(node.home, name), Period("2026-10", node.today()), unit)
    assert table_refresh.refresh_tables(node, definitions.find_report(node.home, name))
    return [tuple(value for column, value in row.items() if column != run.OPEN) for row in rows]


def same(node: Node) -> None:
    """Compare both ways, for all and for one unit; shares are rounded by one of them."""
    for name in SHOWN:
        for unit in (None, QRD):
            plain = [
                tuple(round(v, 1) if isinstance(v, float) else v for v in row) for row in plainly(node, name, unit)
            ]
            assert by_sheets(node, name, unit) == plain


@given(STEPS)
@examples(3)
def test_report_tables_follow_all_changes(
    cast_template: object, tmp_path_factory: object, steps: list[tuple[str, int]]
) -> None:
    """Records added, edited, moved, withdrawn and merged in any order, with reports in between."""
    home = tmp_path_factory.mktemp("sheets")
    cast.copy_cast(cast_template, home)
    node = cast.open_node(home / "hq", cast.Clock())
    desk = Desk(node)
    homes = [desk.add("household", JBL, family_name="الحسن")]
    people: list[str] = []
    for what, number in steps:
        home_, person = homes[number % len(homes)], people[number % len(people)] if people else None
        if what == "home":
            homes.append(desk.add("household", (JBL, QRD)[number % 2], family_name="العلي", registered_on="2020-01-01"))
        elif what == "person":
            people.append(desk.add("person", given="مريم", sex="fm"[number % 2], household=home_))
        elif what == "edit" and person:
            desk.edit(person, birth_date=f"{1990 + number}-01-01", household=home_)
        elif what == "move":
            transfer.transfer_record(node, home_, (JBL, QRD)[number % 2])
        elif what == "remove" and person:
            _withdrawn(node, person)
        elif what == "merge" and person and person != people[0]:
            desk.merge(person, people[0])
        elif what == "look":
            same(node)
    same(node)
    node.close()


@given(STEPS, st.integers(1, 4), st.integers(0, 40))
@examples(3)
def test_records_can_change_while_report_tables_are_built(
    cast_template: object, tmp_path_factory: object, steps: list[tuple[str, int]], size: int, killed: int
) -> None:
    """Between any two slices, and with one kill: the figures are correct."""
    home = tmp_path_factory.mktemp("slices")
    cast.copy_cast(cast_template, home)
    node = cast.open_node(home / "hq", cast.Clock())
    desk = Desk(node)
    homes = [desk.add("household", (JBL, QRD)[n % 2], family_name="الحسن") for n in range(5)]
    people = [desk.add("person", given="مريم", sex="f", household=homes[n]) for n in range(5)]
    todo, slices = list(steps), []

    def meanwhile(done: int, total: int | None, what: str) -> None:
        slices.append((done, total, what))
        if len(slices) == killed:
            raise KeyboardInterrupt
        if not todo:
            return
        step, number = todo.pop()
        if step in ("home", "person"):
            people.append(desk.add("person", given="سلمى", sex="m", household=homes[number % 5]))
        elif step == "remove":
            _withdrawn(node, people[number % len(people)])
        elif step == "move":
            transfer.transfer_record(node, homes[number % 5], (JBL, QRD)[number % 2])
        else:
            desk.edit(people[number % len(people)], birth_date=f"{1990 + number}-01-01")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fieldsync.store.sqlite.report_tables._SLICE", size)
        report = definitions.find_report(node.home, "coverage")
        try:
            table_refresh.refresh_tables(node, report, meanwhile)
        except KeyboardInterrupt:
            table_refresh.refresh_tables(node, report, meanwhile)
        assert len(slices) > 5
        same(node)
    node.close()


def _withdrawn(node: Node, person: str) -> None:
    try:
        save.remove_record(node, person, "خطأ")
    except errors.FieldsyncError:
        return  # withdrawn before


def test_a_laptop_has_no_report_tables(people: Cast) -> None:
    """It reads its records: its store is small, and departed records leave no data behind."""
    assert not table_refresh.refresh_tables(people.amal, definitions.find_report(people.amal.home, "coverage"))
    assert table_refresh.refresh_tables(people.hq, definitions.find_report(people.hq.home, "coverage"))


def test_days_are_dates_in_a_workbook() -> None:
    """Due dates can be sorted and filtered; partial dates are text."""
    rows = [["Due", "Month"], ["2026-10-05", "2026-10"], ["2026-W41-1", "2026-10-05 late"]]
    sheet = openpyxl.load_workbook(io.BytesIO(report_files.xlsx_bytes(rows, "x", rtl=False))).active
    assert sheet is not None
    found = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert found == [[dt.datetime(2026, 10, 5), "2026-10"], rows[2]]  # noqa: DTZ001 - as Excel has them
    assert sheet.auto_filter.ref == "A1:B3"

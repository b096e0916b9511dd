"""The office's month, counted by hand: two offices, charities, an event held twice over, people served twice and once unnamed."""

import pytest

from fieldsync.reports import run
from tests import directly
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.reports.desk import OCTOBER, Desk


class Month:
    """October at Jableh and Qardaha, typed on three laptops and at headquarters."""

    def __init__(self, people: Cast) -> None:
        self.people = people
        self.hq, self.amal, self.samar = Desk(people.hq), Desk(people.amal), Desk(people.samar)
        add = self.hq.add
        self.bir, self.wafa, self.fund = (
            add("organisation", "LAT", name_ar=name, kind=kind)
            for name, kind in (("جمعية البر", "charity"), ("جمعية الوفاء", "charity"), ("صندوق التنمية", "fund"))
        )
        self.rima, self.omar = (add("worker", "LAT", name=name, sex=sex) for name, sex in (("ريما", "f"), ("عمر", "m")))
        self.corner = add(
            "corner", JBL, host=self.bir, activated_on="2026-09-20", researchers=[self.rima], state="active"
        )
        self.home = add("household", JBL, family_name="الحسن")
        self.mariam, self.hasan = (
            add("person", JBL, given=name, family="الحسن", sex=sex, household=self.home)
            for name, sex in (("مريم", "f"), ("حسن", "m"))
        )
        self.sync()

    def sync(self) -> None:
        for laptop in (*self.people.laptops, *self.people.laptops):
            directly.sync(laptop, self.people.hq)

    def statement(self, desk: Desk, day: str, *, state: str = "issued", asked: str | None = None) -> str:
        return desk.add(
            "statement",
            about=self.mariam,
            requested_by=asked or self.bir,
            issued_by=self.fund,
            issued_on=day,
            body="نص",
            state=state,
        )

    def visit(
        self, day: str, sex: str, *, person: str | None = None, worker: str | None = None, unnamed: int = 0
    ) -> str:
        named = {"person": person} if person else {}
        counted = {"unnamed": unnamed} if unnamed else {}
        return self.amal.add(
            "corner_visit",
            corner=self.corner,
            served_on=day,
            sex=sex,
            researcher=worker or self.rima,
            **named,
            **counted,
        )


@pytest.fixture
def month(people: Cast) -> Month:
    """Return the office with its charities, nothing done yet."""
    return Month(people)


@pytest.mark.parametrize("sheets", [False, True])
def test_a_merged_charity_makes_no_joint_event(month: Month, *, sheets: bool) -> None:
    """Among the partners are a charity and a record merged into it: one partner, and one charity of the month."""
    hq = month.hq
    again = hq.add("organisation", "LAT", name_ar="جمعية البرّ", kind="charity")
    event = {"held_on": "2026-10-12", "host": month.fund, "kind": "initiative"}
    hq.add("event", "LAT", partners=[month.bir, again], **event)
    hq.add("event", "LAT", partners=[month.wafa, again], **event)
    hq.add("event", "LAT", kind="workshop", held_on="2026-10-12", host=month.fund)
    if sheets:
        hq.report("monthly")

    def counted() -> tuple[int, int]:
        rows = {row["figure"]: row["this"] for row in hq.report("monthly").rows}
        return rows["joint"], rows["charities"]

    assert counted() == (2, 3)
    hq.merge(again, month.bir)
    assert counted() == (1, 2)
    hq.merge(again, None)
    assert counted() == (2, 3)


def test_every_row_of_a_month_matches_a_manual_count(month: Month) -> None:
    """For this month, the one before, the year and a year ago."""
    hq, amal, samar = month.hq, month.amal, month.samar
    month.statement(amal, "2026-10-03")
    month.statement(amal, "2026-10-31", state="answered")
    month.statement(samar, "2026-09-30")
    month.statement(samar, "2025-10-15")
    month.statement(amal, "2026-10-20", state="drafted")  # not issued
    amal.add("taaffuf_finding", household=month.home, found_by=month.wafa, found_on="2026-10-09")
    for day, state in (
        ("2026-10-02", "accepted"),
        ("2026-10-05", "done"),
        ("2026-10-06", "rejected"),
        ("2026-09-06", "sent"),
    ):
        answered = {"answered_on": day} if state != "sent" else {}
        reason = {"reject_reason": "no_capacity"} if state == "rejected" else {}
        samar.add(
            "referral", person=month.mariam, kind="charity_help", from_org=month.fund, to_org=month.bir, override_reason="عاجل",
            sent_on=day, **answered, **reason, state=state,
        )  # fmt: skip
    repairs = [
        samar.add(
            "referral", person=month.home, kind="home_repair", from_org=month.fund, to_org=month.bir, override_reason="عاجل",
            sent_on="2026-10-07", state="sent",
        )
        for _ in range(2)
    ]  # fmt: skip
    samar.add("home_repair", referral=repairs[0], finished_on="2026-10-25", state="finished")
    event = {"held_on": "2026-10-12", "host": month.bir}
    hq.add("event", "LAT", kind="initiative", partners=[month.bir, month.wafa], **event)
    hq.add("event", "LAT", kind="workshop", partners=[month.wafa], **event)
    hq.add("event", "LAT", kind="meeting", partners=[month.wafa], **event)  # one partner is not joint
    hq.add("event", "LAT", kind="workshop", held_on="2026-10-12", host=month.fund)  # not at a charity
    hq.add("corner", QRD, host=month.wafa, activated_on="2026-10-15", researchers=[month.omar], state="active")
    hq.add("corner", QRD, host=month.wafa, activated_on="2026-10-16", researchers=[month.omar], state="closed")
    month.visit("2026-10-01", "f", person=month.mariam)
    month.visit("2026-10-02", "f", person=month.mariam)  # the same person twice is one
    month.visit("2026-10-02", "m", person=month.hasan, worker=month.omar)
    month.visit("2026-10-03", "f")  # one who gave no name
    month.visit("2026-10-03", "m", unnamed=7)
    month.visit("2026-09-30", "m", person=month.hasan)
    month.sync()

    rows = {row["figure"]: (row["this"], row["last"], row["ytd"], row["same"]) for row in hq.report("monthly").rows}

    assert rows == {
        "statements": (2, 1, 3, 1),
        "taaffuf": (1, 0, 1, 0),
        "charity_sent": (3, 1, 4, 0),
        "charity_accepted": (2, 0, 2, 0),
        "charity_done": (1, 0, 1, 0),
        "repair_sent": (2, 0, 2, 0),
        "repair_finished": (1, 0, 1, 0),
        "joint": (1, 0, 1, 0),
        "workshops": (1, 0, 1, 0),
        "corners_new": (2, 1, 3, 0),
        "corners_active": (2, 1, 2, 0),
        "served": (10, 1, 10, 0),
        "served_f": (2, 0, 2, 0),
        "served_m": (8, 1, 8, 0),
        "served_unnamed": (8, 0, 8, 0),
        "researchers": (2, 1, 2, 0),
        "charities": (2, 1, 2, 1),
    }
    served = next(row for row in hq.report("monthly").rows if row["figure"] == "served")
    assert (served["f"], served["m"]) == (2, 8)
    assert served["months"][-2:] == [1, 10]
    assert hq.figures("monthly", key="figure", year="2026")["statements"] == 3
    assert hq.figures("monthly", "last", key="figure", year="2026")["statements"] == 1


def test_a_month_of_one_unit(month: Month) -> None:
    """Qardaha's month has only Qardaha's corner, although its charity is shared from Latakia."""
    month.hq.add("corner", QRD, host=month.wafa, activated_on="2026-10-15", researchers=[month.omar], state="active")
    month.statement(month.amal, "2026-10-03")
    month.sync()

    assert month.hq.figures("monthly", key="figure", unit=QRD)["statements"] == 0
    assert month.hq.figures("monthly", key="figure", unit=QRD)["charities"] == 1
    assert month.hq.figures("monthly", key="figure", unit=JBL)["statements"] == 1
    assert month.hq.figures("monthly", key="figure", unit="LAT")["statements"] == 1


def test_merged_persons_count_once(month: Month) -> None:
    """By the surviving record; after a split, twice."""
    other = month.amal.add("person", given="مريم", family="الحسن", sex="f", household=month.home)
    month.visit("2026-10-01", "f", person=month.mariam)
    month.visit("2026-10-09", "f", person=other)
    month.sync()
    assert month.hq.figures("monthly", key="figure")["served"] == 2

    month.samar.merge(other, month.mariam)
    month.sync()
    assert month.hq.figures("monthly", key="figure")["served"] == 1
    assert month.samar.figures("monthly", key="figure")["served"] == 1  # offline, too

    month.samar.merge(other, None)
    month.sync()
    assert month.hq.figures("monthly", key="figure")["served"] == 2


def test_persons_merged_both_ways_count_once(month: Month) -> None:
    """Merged both ways concurrently, a person is neither lost nor counted twice."""
    other = month.amal.add("person", given="مريم", family="الحسن", sex="f", household=month.home)
    month.visit("2026-10-01", "f", person=month.mariam)
    month.visit("2026-10-09", "f", person=other)
    month.sync()
    month.samar.merge(other, month.mariam)
    month.hq.merge(month.mariam, other)
    month.sync()

    assert month.hq.figures("monthly", key="figure")["served"] == 1
    assert month.hq.figures("coverage", "need", key="value")["total"] == 2


def test_a_line_with_an_open_review_is_provisional(month: Month) -> None:
    """While a statement's purpose is in conflict its line is marked, and no longer after a decision."""
    made = month.statement(month.amal, "2026-10-03")
    month.sync()
    month.amal.edit(made, valid_until="2026-12-01")
    month.people.clock.tick(1000)
    month.samar.edit(made, state="void")
    month.amal.edit(made, state="answered")
    month.sync()
    rows = {row["figure"]: row.get("in_review") for row in month.hq.report("monthly").rows}
    conflicts = month.people.hq.store
    with conflicts.read() as tx:
        open_ = tx.in_conflict()
    assert open_ == 1
    assert rows["statements"] == 1
    assert not rows["taaffuf"]

    month.samar.decide("state")
    month.sync()
    rows = {row["figure"]: row.get("in_review") for row in month.hq.report("monthly").rows}
    assert not rows["statements"]


def test_void_records_do_not_count(month: Month) -> None:
    """A statement entered by mistake and withdrawn."""
    from fieldsync.replica import save

    made = month.statement(month.amal, "2026-10-03")
    save.remove_record(month.people.amal, made, "خطأ")
    month.sync()

    assert month.hq.figures("monthly", key="figure")["statements"] == 0


def test_figures_show_each_office_s_last_sync(month: Month) -> None:
    """The completeness of the figures is shown below them."""
    reach = {one.unit: one.at for one in month.hq.report("monthly").as_of}

    assert set(reach) >= {"LAT", JBL, QRD}
    document = month.hq.report("monthly", unit=QRD)
    assert {one.unit for one in document.as_of} == {"LAT", QRD}
    assert document.period == run.ReportPeriod(OCTOBER, "2026-10-01", "2026-11-01", "2026-10-31", over=True)

"""The other reports, each counted by hand on a few records."""

import pytest

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.reports import run
from fieldsync.reports.period import Period
from tests import directly
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.reports.desk import Desk


class Office(Desk):
    """An office at one desk: two families, two workers, two charities."""

    def __init__(self, people: Cast) -> None:
        super().__init__(people.hq)
        self.people = people
        self.bir, self.wafa = (
            self.add("organisation", "LAT", name_ar=name, kind="charity") for name in ("البر", "الوفاء")
        )
        self.office = self.add("office", "LAT", org=self.bir, name_ar="جبلة")
        worker = {"office": self.office, "sex": "f", "role": "case_worker"}
        self.samar = self.add("worker", "LAT", name="سمر", **worker)
        self.rima = self.add("worker", "LAT", name="ريما", supervisor=self.samar, **worker)
        self.village, self.town = (
            self.add("location", "LAT", place_code=code, name_ar=name, level=4)
            for code, name in (("V", "القرية"), ("T", "البلدة"))
        )
        self.hasan, self.ali = self.family(JBL, "الحسن", self.village), self.family(QRD, "العلي", self.town)
        self.mariam = self.person(
            self.hasan, "مريم", sex="f", birth_date="1990-05-05", wg_walk="3", ids=["national:SY:01010101010"]
        )
        self.salim = self.person(self.hasan, "سليم", sex="m", birth_date="2020-01-01")
        self.huda = self.person(self.ali, "هدى", sex="f")

    def family(self, unit: str, name: str, place: str, **more: object) -> str:
        return self.add(
            "household",
            unit,
            family_name=name,
            location=place,
            registered_on="2026-01-05",
            last_verified_on="2026-08-01",
            **more,
        )

    def person(self, home: str, given: str, **more: object) -> str:
        return self.add("person", given=given, household=home, alive="alive", **more)

    def rows(self, name: str, *columns: str, **given: object) -> list[tuple[object, ...]]:
        """The rows of a report as tuples of these columns."""
        return [tuple(row[column] for column in columns) for row in self.report(name, **given).rows]

    def case(self, **fields: object) -> str:
        fields = {"opened_on": "2026-09-01", "worker": self.rima, "person": self.mariam, "risk": "medium"} | fields
        return self.add("case", **fields)


@pytest.fixture
def office(people: Cast) -> Office:
    """Return the office at headquarters' desk."""
    return Office(people)


def test_report_of_aid_by_provider(office: Office) -> None:
    """The same kind from two providers in a month is an overlap; from one, or of two kinds, it is not."""

    def give(to: str, kind: str, by: str, period: str = "2026-10", state: str = "received", **more: object) -> None:
        office.add("benefit", recipient=to, kind=kind, provider=by, period=period, quantity=1, state=state, **more)

    give(office.hasan, "food", office.bir)
    give(office.mariam, "food", office.wafa)  # a member of the same household
    give(office.hasan, "fuel", office.bir)
    give(office.hasan, "fuel", office.bir)
    give(office.ali, "food", office.bir, period="2026-09")
    give(office.ali, "food", office.bir, state="cancelled")
    first, second = (office.add("programme", "LAT", programme_code=code, name_ar=code, kind="pension") for code in "AB")
    save.edit_record(office.node, first, Changes(put={"exclusive_with": [second]}))
    twin = office.family(QRD, "الحسن", office.town, family_book_no="123")
    other = office.family(QRD, "الحسن", office.town, family_book_no="123")
    for home in (twin, other):
        give(home, "nfi", office.bir)
    for programme, kind in ((first, "medical"), (second, "school")):
        held = office.add("enrolment", programme=programme, holder=office.ali, applied_on="2026-10-01")
        give(office.ali, kind, office.bir, enrolment=held)

    found = sorted(office.rows("aid", "kind", "provider", "times", "mark"))

    assert found == [
        ("food", "البر", 1, "double"),
        ("food", "الوفاء", 1, "double"),
        ("fuel", "البر", 2, "ok"),
        ("medical", "البر", 1, "exclusive"),
        ("nfi", "البر", 1, "twin"),
        ("nfi", "البر", 1, "twin"),
        ("school", "البر", 1, "exclusive"),
    ]
    assert len({row["household"] for row in office.report("aid").rows}) == 4
    assert office.rows("aid", "mark", month="2026-09") == [("ok",)]


def test_report_of_coverage_counts_persons_once(office: Office) -> None:
    """Mariam got a service from each charity and her household food: she is one of two reached; Huda is the gap."""
    for by in (office.bir, office.wafa):
        office.add(
            "service", person=office.mariam, service_type="health", provider=by, given_on="2026-10-03", outcome="given"
        )
    office.add(
        "service",
        person=office.huda,
        service_type="health",
        provider=office.bir,
        given_on="2026-10-03",
        outcome="refused",
    )
    office.add(
        "benefit",
        recipient=office.hasan,
        kind="food",
        provider=office.bir,
        period="2026-10",
        quantity=1,
        state="issued",
    )

    found = {
        (by, value): rest
        for by, value, *rest in office.rows("coverage", "by", "value", "need", "reached", "f", "m", "gap", "share")
    }

    assert found["sex", "total"] == [3, 2, 1, 1, 1, 66.7]
    assert found["sex", "f"] == [2, 1, 1, 0, 1, 50.0]
    assert found["age", "a06"] == [1, 1, 0, 1, 0, 100.0]
    assert found["age", "a18"] == [1, 1, 1, 0, 0, 100.0]
    assert found["age", "unknown"] == [1, 0, 0, 0, 1, 0.0]
    assert found["disability", "yes"] == [1, 1, 1, 0, 0, 100.0]
    assert found["place", "القرية"] == [2, 2, 1, 1, 0, 100.0]
    assert found["place", "البلدة"] == [1, 0, 0, 0, 1, 0.0]


def test_report_of_household_events(office: Office) -> None:
    """Moves by places, verified and reported apart; another month's and rejected ones do not count."""

    def event(kind: str, home: str, day: str, state: str | None = None, **more: object) -> None:
        office.add("household_event", household=home, kind=kind, event_date=day, state=state, **more)

    move = {"from_location": office.village, "to_location": office.town}
    event("move", office.hasan, "2026-10-03", "verified", **move)
    event("move", office.ali, "2026-10-09", **move)
    event("death", office.hasan, "2026-10-20", person=office.salim)
    event("death", office.hasan, "2026-10-20", "rejected", person=office.salim)
    event("move", office.hasan, "2026-09-03", **move)

    found = office.rows("changes", "what", "from", "to", "verified", "reported")

    assert found[:2] == [("move", "القرية", "البلدة", 1, 1), ("death", "", "", 0, 1)]
    assert ("households", "", "", 1, 1) in found


def test_report_of_overdue_tasks(office: Office) -> None:
    """Oldest first by worker, days counted to the month's last day; tasks done in time or later are distinguished."""
    case = office.case(risk="high", opened_on="2026-10-20")
    office.add("follow_up", case=case, due_on="2026-10-10", worker=office.rima)
    office.add("follow_up", case=case, due_on="2026-10-12", done_on="2026-10-13", worker=office.rima, state="done")
    office.add("follow_up", case=case, due_on="2026-10-29", done_on="2026-11-01", worker=office.rima, state="done")
    office.add(
        "referral", person=office.mariam, case=case, from_org=office.bir, to_org=office.wafa, override_reason="عاجل", urgency="urgent",
        sent_on="2026-10-26", state="sent",
    )  # fmt: skip
    loan = office.add(
        "microproject", person=office.huda, finance="soft_loan", fund=office.bir, amount=100, amount_currency="syp", instalment=10,
        first_due_on="2026-08-15", disbursed_on="2026-07-15", state="disbursed",
    )  # fmt: skip
    office.add("repayment", project=loan, paid_on="2026-08-15", amount=10)
    office.add("consent", subject=office.mariam, purpose="services", given_on="2026-01-01", expires_on="2026-11-10")

    assert office.rows("overdue", "worker", "what", "due", "days") == [
        ("ريما", "follow_up", "2026-10-10", 21),
        ("ريما", "assessment", "2026-10-23", 8),
        ("ريما", "follow_up", "2026-10-29", 2),
        ("ريما", "referral", "2026-10-29", 2),
        ("", "instalment", "2026-09-15", 46),
        ("", "consent", "2026-11-10", -10),
    ]
    abouts = [row["about"] for row in office.report("overdue").rows]
    assert abouts == ["مريم", "مريم", "مريم", "مريم", "هدى", "مريم"]  # a code says nothing to whoever has to go there


def test_a_changed_name_makes_no_second_line(office: Office) -> None:
    """An issued overdue task is listed once, though its person was renamed."""
    office.case(risk="high", opened_on="2026-10-20")
    office.people.clock.now += 40 * 86_400_000
    run.issue_reports(office.node, Period("2026-10", office.node.today()), None, ["overdue"])
    office.edit(office.mariam, given="مريام")
    (row,) = office.report("overdue").rows
    assert (row["what"], row["about"]) == ("assessment", "مريم")


def test_report_of_caseload_and_cases(office: Office) -> None:
    """Open, new and closed cases of each worker, and a supervisor's team; the indicators of the same cases."""
    office.case(opened_on="2026-10-02", risk="high")
    worked = office.case(opened_on="2026-10-05", risk="low", person=office.huda)
    office.add(
        "assessment", subject=office.huda, case=worked, done_on="2026-10-07", done_by=office.rima, state="submitted"
    )
    for step in ("registered", "assessed", "planned", "in_service"):
        office.edit(worked, state=step)
    office.add("follow_up", case=worked, due_on="2026-10-10", done_on="2026-10-10", worker=office.rima, state="done")
    closed = office.case(opened_on="2026-09-01")
    for step in ("registered", "closing"):
        office.edit(closed, state=step, **({"closure_reason": "moved"} if step == "closing" else {}))
    office.edit(closed, closure_approved="requested")
    office.edit(closed, closure_approved="approved")
    office.edit(closed, state="closed", closed_on="2026-10-11")
    moved = office.case(opened_on="2026-08-01", risk="medium")
    for step in ("registered", "transferred"):
        office.edit(moved, state=step)

    assert office.rows("caseload", "worker", "band", "open", "low", "high", "new", "closed", "team") == [
        ("ريما", "b00", 3, 1, 1, 2, 1, 0),
        ("سمر", "b00", 0, 0, 0, 0, 0, 1),
    ]
    found = {
        (figure, value): rest
        for figure, value, *rest in office.rows("cases", "figure", "value", "n", "whole", "average")
    }
    assert found["opened", "total"][0] == 2
    assert found["open", "total"][0] == 3
    assert found["closed", "total"] == [1, 4, None]
    assert found["reason", "moved"] == [1, 1, None]
    assert found["to_close", "c090"] == [1, 1, 40.0]
    assert found["assess_delay", "d03"] == [1, 1, 2.0]
    assert found["follow_ups", "total"] == [1, None, 0.3]
    assert found["risk", "low"] == [1, 2, None]


def test_report_of_livelihoods(office: Office) -> None:
    """Trainees by progress, work found within months, loans and repayments, days of work."""
    centre = office.add(
        "institution",
        "LAT",
        name_ar="المركز",
        kind="vocational_centre",
        operator=office.bir,
        location=office.town,
        capacity=20,
    )
    course = office.add("course", "LAT", title_ar="خياطة", centre=centre, starts_on="2026-07-01", ends_on="2026-10-10")
    office.add("training_enrolment", person=office.huda, course=course)
    office.add(
        "training_enrolment",
        person=office.mariam,
        course=course,
        result="pass",
        employed_on="2026-10-20",
        state="employed",
    )
    loan = office.add(
        "microproject", person=office.huda, finance="soft_loan", fund=office.bir, amount=500, amount_currency="syp", jobs=2,
        disbursed_on="2026-10-01", instalment=50, first_due_on="2026-11-01", state="disbursed",
    )  # fmt: skip
    office.add("repayment", project=loan, paid_on="2026-10-20", amount=50)
    office.add(
        "temporary_job",
        person=office.huda,
        project="طريق",
        from_date="2026-10-01",
        days_paid=["2026-10-01", "2026-10-02", "2026-11-01"],
    )

    found = {figure: rest for figure, *rest in office.rows("livelihood", "figure", "people", "f", "m", "amount")}

    assert found["applied"][:3] == [2, 2, 0]
    assert found["attending"][0] == found["passed"][0] == found["employed_3"][0] == 1
    assert found["lent"] == [1, 1, 0, 500]
    assert found["repaid"] == [1, 1, 0, 50]
    assert found["jobs"] == [1, 1, 0, 2]
    assert found["temporary"] == [1, 1, 0, 2]
    assert found["arrears_30"][0] == 0


def test_report_of_institutions(office: Office) -> None:
    """A home with two residents, one of whom left; its grade, corrective actions, posts and violations."""
    home = office.add(
        "institution",
        JBL,
        name_ar="دار الأمان",
        kind="children",
        operator=office.bir,
        location=office.town,
        capacity=10,
    )
    office.add("placement", person=office.salim, institution=home, from_date="2026-02-01")
    office.add(
        "placement",
        person=office.mariam,
        institution=home,
        from_date="2026-02-01",
        to_date="2026-10-10",
        exit_to="family",
    )
    team = {"institution": home, "team": [office.rima, office.samar]}
    for day, score in (("2026-05-01", 2), ("2026-10-01", 4)):
        visit = office.add("inspection", done_on=day, **team, state="reviewed")
        office.add("inspection_score", inspection=visit, standard="1", score=score)
    office.add("corrective_action", inspection=visit, due_on="2026-10-20")
    office.add("institution_post", institution=home, post="أخصائي", needed=3, filled=1)
    office.add("violation_report", JBL, institution=home, seen_on="2026-10-05")

    columns = (
        "name",
        "capacity",
        "residents",
        "grade",
        "before",
        "actions",
        "needed",
        "filled",
        "reports",
        "open",
        "to_family",
    )
    assert office.rows("institutions", *columns) == [("دار الأمان", 10, 1, "A", "C", 1, 3, 1, 1, 1, 1)]


def test_report_of_device_syncs(office: Office) -> None:
    """Each enrolled laptop with its last sync; those silent for more than two weeks are listed."""
    directly.sync(office.people.amal, office.people.hq)
    rows = {row["person"]: row for row in office.report("sync").rows}

    assert set(rows) == {"Amal", "Basim", "Samar"}
    assert {row["silent"] for row in rows.values()} == {"no"}
    office.people.clock.tick(60 * 86_400_000)  # laptops are enrolled on the computer's own clock
    assert {row["silent"] for row in office.report("sync").rows} == {"yes"}
    assert len(office.report("sync", unit=QRD).rows) == 1


def test_report_of_data_quality(office: Office) -> None:
    """Missing or odd papers, birth dates, phones, sizes and consents, with totals."""
    office.person(office.ali, "يوسف", sex="m", birth_date="1980-01-01", ids=["national:SY:01010101010"])
    office.edit(office.ali, size_stated=5)
    office.case()

    found = {what: (n, whole) for what, n, whole in office.rows("quality", "what", "n", "whole")}

    assert found["no_paper"] == (2, 4)
    assert found["heaped"] == (2, 3)
    assert found["no_birth"] == (1, 4)
    assert found["no_phone"] == (2, 2)
    assert found["size"] == (1, 1)
    assert found["no_consent"] == (1, 1)
    assert found["same_paper"] == (1, 1)

"""Every programme through the commands: steps and roles, due dates, lists, figures."""

import datetime as dt
from typing import Any

from fieldsync import errors
from tests.cast import open_node
from tests.cli.conftest import World
from tests.topology.test_above import everything

TODAY = dt.datetime.now(dt.UTC).date()
MONTH = f"{TODAY:%Y-%m}"


def day(n: int) -> str:
    """Return the date so many days from today."""
    return str(TODAY + dt.timedelta(days=n))


def rows(world: World, name: str, *words: str, who: str = "samar") -> list[dict[str, Any]]:
    """Return this month's rows of a report."""
    found: list[dict[str, Any]] = world.json(who, "report", name, "--month", MONTH, *words)["rows"]
    return found


def figures(world: World, name: str, column: str, who: str = "samar") -> dict[str, Any]:
    """Return a column of a report with figures, by figure."""
    return {row["figure"]: row[column] for row in rows(world, name, who=who)}


def due(world: World, who: str, *words: str) -> list[str]:
    """Return what somebody's agenda has, in order."""
    return [one["what"] for one in world.json(who, "agenda", "--until", day(60), *words)]


def person(world: World, who: str, given: str = "ليلى", sex: str = "f", **more: str) -> str:
    """Register a family in Jableh with one person; return the person's code."""
    words = ["--unit", "LAT/JBL"] if who == "samar" else []
    family = world.json(
        who, "add", "household", "--set", f"family_name={given} الحسن", "--set", "location=جبلة", *words
    )
    return str(world.add(who, "person", given=given, family="الحسن", sex=sex, household=family["code"], **more)["code"])


def step(world: World, who: str, record: str, state: str, *words: str, code: int = 0) -> Any:
    """Take a record to a state."""
    return world.json(who, "edit", record, "--set", f"state={state}", *words, code=code)


def several(world: World, who: str, type: str, *row: str, **common: str) -> list[dict[str, Any]]:
    """Add several records in one save."""
    words = [word for name, value in common.items() for word in ("--set", f"{name}={value}")]
    found: list[dict[str, Any]] = world.json(
        who, "add", type, *words, *(word for one in row for word in ("--row", one))
    )
    return found


def test_insurance_and_safety_nets(world: World) -> None:
    """Eligibility is a supervisor's decision; two exclusive programmes are noticed; payments are counted."""
    world.start()
    pension = world.add(
        "samar", "programme", programme_code="PEN", name_ar="معاش شهري", kind="pension", target_groups="martyr_family"
    )
    world.add("samar", "programme", programme_code="NET", name_ar="شبكة أمان", kind="safety_net", target_groups="low_income",
        exclusive_with=pension["code"])  # fmt: skip
    world.json("samar", "sync")
    world.json("amal", "sync")
    who = person(world, "amal")
    world.add("amal", "insurance_membership", person=who, branch="pension", status="none")
    (kept,) = world.json("amal", "list", "insurance_membership", "--where", f"person={who}")
    assert kept["fields"]["status"] == "none"
    wrong = world.json(
        "amal", "add", "insurance_membership", "--set", f"person={who}", "--set", "branch=dental", code=3
    )
    assert "Pension fund" in wrong["error"]["message"]
    asked = world.add("amal", "enrolment", holder=who, programme="معاش شهري", applied_on="today")
    assert asked["fields"]["programme"] == pension["id"]
    refused = step(world, "amal", asked["code"], "eligible", "--set", "decided_on=today", code=errors.RoleRefused.exit)
    assert refused["error"]["hint"]
    twice = world.add("amal", "enrolment", holder=who, programme="شبكة أمان", applied_on="today")
    assert [one["rule"] for one in twice["overlaps"]] == ["exclusive"]
    aid = world.add("amal", "benefit", recipient=who, enrolment=asked["code"], period=MONTH, kind="cash", amount="500000",
        amount_currency="SYP", provider="الصندوق")  # fmt: skip
    world.json("amal", "sync")
    world.json("samar", "sync")
    assert due(world, "amal") == []
    assert due(world, "samar") == ["decision", "decision"]
    step(world, "samar", asked["code"], "eligible", "--set", "decided_on=today")
    step(world, "samar", asked["code"], "enrolled", "--set", f"next_review_on={day(30)}")
    step(world, "samar", twice["code"], "not_eligible", "--set", "decided_on=today", "--set", "decision_reason=معاش")
    step(world, "samar", asked["code"], "applied", code=errors.IllegalStep.exit)
    assert due(world, "samar") == ["review"]
    for state in ("approved", "issued", "received"):
        step(world, "samar", aid["code"], state)
    lists = world.here("samar", "list", "enrolment").out
    assert "معاش شهري" in lists
    assert "ليلى الحسن" in lists
    assert "Enrolled" in lists
    everybody = next(row for row in rows(world, "coverage") if (row["by"], row["value"]) == ("sex", "f"))
    assert (everybody["need"], everybody["reached"], everybody["f"]) == (1, 1, 1)
    told = {(row["figure"], row["value"]): row["n"] for row in rows(world, "programmes")}
    assert [
        told[one] for one in (("uninsured", None), ("applied", None), ("refused", None), ("enrolled", "معاش شهري"))
    ] == [1, 2, 1, 1]
    (got,) = rows(world, "aid")
    assert (got["kind"], got["n"] if "n" in got else 1) == ("cash", 1)


def test_eligibility_rules(world: World) -> None:
    """Each programme's rule is applied to a person, the family or its members; missing answers are listed, nothing is decided."""
    family = world.json("samar", "add", "household", "--set", "family_name=الحسن", "--set", "groups=low_income")["code"]
    woman = world.add("samar", "person", given="ليلى", household=family, sex="f", birth_date="1990-03-02")["code"]
    boy = world.add("samar", "person", given="علي", household=family, sex="m", birth_date="2015-03-02")["code"]

    def programme(code: str, rule: str, kind: str = "safety_net", **more: str) -> str:
        fields = {
            "programme_code": code,
            "name_ar": code,
            "kind": kind,
            "target_groups": "low_income",
            "eligibility": rule,
        }
        made = world.add("samar", "programme", **{name: value for name, value in (fields | more).items() if value})
        return str(made["code"])

    net = programme("NET", "income_monthly < 500000")
    programme("GRP", "")
    programme("KID", "age(birth_date) < 18 and selected(groups, 'low_income')", "kafala")
    programme("FND", "count(insurance_membership where status = 'active') > 0", "insurance", exclusive_with=net)
    for rule, word in (("income_monthly <", "character 17"), ("shoe_size > 40", "shoe_size")):
        wrong = world.json("samar", "edit", net, "--set", f"eligibility={rule}", code=errors.IllegalValue.exit)
        assert word in wrong["error"]["message"]

    table = world.folder / "programmes.csv"
    table.write_text(
        "programme_code,name_ar,kind,target_groups,eligibility\nCSV,x,pension,youth,income_monthly <\n",
        encoding="utf-8",
    )
    rejected = world.json("samar", "import", str(table), "--type", "programme", code=3)
    assert "rejected" in rejected or rejected["error"]

    def told(who: str) -> dict[str, tuple[str, list[str]]]:
        return {
            one["code"]: (one["answer"], one["who"] or one["lacks"]) for one in world.json("samar", "eligible", who)
        }

    assert told(family) == {
        "GRP": ("yes", []), "KID": ("yes", [boy]), "NET": ("unknown", ["income_monthly"]), "FND": ("no", [])
    }  # fmt: skip
    world.json("samar", "edit", family, "--set", "income_monthly=300000", "--set", "income_currency=SYP")
    world.add("samar", "insurance_membership", person=woman, branch="health", status="active")
    assert told(woman) == {
        "FND": ("yes", []), "GRP": ("yes", []), "NET": ("yes", []), "KID": ("no", [])
    }  # fmt: skip
    world.add("samar", "enrolment", holder=family, programme=net, applied_on="today")
    by_code = {one["code"]: one for one in world.json("samar", "eligible", woman)}
    assert (by_code["NET"]["enrolled"], by_code["FND"]["excluded_by"], by_code["FND"]["contributory"]) == (
        "applied",
        "NET",
        True,
    )
    said = world.here("samar", "eligible", family, "--lang", "ar").out
    assert all(word in said for word in ("يستحق", boy, "مقدّم طلب", "لا يجتمع مع NET"))
    world.json("samar", "eligible", net, code=errors.IllegalValue.exit)
    world.json("samar", "eligible", "JBL-B-99", code=errors.NoRecord.exit)
    assert (
        "no programmes yet"
        in world.here("amal", "eligible", world.add("amal", "household", family_name="x")["code"]).out
    )


def test_a_home_for_children(world: World) -> None:
    """Residents, vacant posts, an inspection from plan to grade, and corrective actions with due dates."""
    home = world.json("samar", "add", "institution", "--unit", "LAT/JBL", "--set", "name_ar=دار الأمل", "--set", "kind=children",
        "--set", "operator=جمعية البر", "--set", "location=جبلة", "--set", "capacity=2")["code"]  # fmt: skip
    children = [person(world, "samar", name, "m", birth_date="2015-03-02") for name in ("علي", "حسن", "عمر")]
    stays = several(
        world,
        "samar",
        "placement",
        *(f"person={one}" for one in children),
        institution=home,
        basis="court",
        from_date=day(-20),
    )
    several(
        world,
        "samar",
        "institution_post",
        "post=مربية; needed=4; filled=3",
        "post=معالج نفسي؛ needed=٢؛ filled=0",
        institution=home,
    )
    shown = world.json("samar", "show", home)["fields"]
    assert (shown["residents"], shown["free"], shown["posts_needed"], shown["posts_lacking"]) == (3, -1, 6, 3)
    world.json("samar", "edit", stays[0]["code"], "--set", "to_date=today", "--set", "exit_to=family")
    assert (
        len(world.json("samar", "list", "placement", "--where", "status=open", "--where", f"institution={home}")) == 2
    )
    assert len(world.json("samar", "list", "placement", "--where", "status=ended")) == 1
    visit = world.add("samar", "inspection", institution=home, planned_on=day(7), team="Samar, Amal")["code"]
    assert due(world, "samar") == ["visit"]
    lacking = step(world, "samar", visit, "done", code=3)
    assert "done_on" in str(lacking["error"])
    several(world, "samar", "inspection_score", "standard=النظافة; score=4", "standard=الغذاء; score=3", "standard=الأمان; score=4",
        inspection=visit)  # fmt: skip
    wrong = world.json("samar", "add", "inspection_score", "--set", f"inspection={visit}", "--row", "standard=أ; score=1", "--row",
        "standard=ب; score=5", code=3)  # fmt: skip
    assert wrong["error"]["message"].startswith("--row 2: Score")
    assert len(world.json("samar", "list", "inspection_score")) == 3  # all of them or none
    step(world, "samar", visit, "done", "--set", "done_on=today")
    assert due(world, "samar") == ["review"]
    step(world, "samar", visit, "published", code=errors.IllegalStep.exit)
    step(world, "samar", visit, "reviewed")
    assert [one["code"] for one in world.json("samar", "list", "institution", "--where", "grade=a")] == [home]
    todo = world.add("samar", "corrective_action", inspection=visit, action="مخرج طوارئ", due_on=day(-3))["code"]
    (late,) = world.json("samar", "agenda", "--overdue")
    assert (late["what"], late["about"], late["days"]) == ("action", "دار الأمل", 3)
    (row,) = rows(world, "institutions")
    assert (row["name"], row["residents"], row["grade"], row["actions"], row["needed"], row["filled"], row["to_family"]) == (
        "دار الأمل", 2, "A", 1, 6, 3, 1,
    )  # fmt: skip
    world.json("samar", "edit", todo, "--set", "done_on=today")
    assert due(world, "samar") == []
    assert rows(world, "institutions")[0]["actions"] == 0
    world.start()
    for who in ("samar", "amal"):
        world.json(who, "sync")
    checked = world.add("amal", "inspection", institution=home, team="Amal", done_on="today")
    assert checked["fields"]["state"] == "planned"
    step(world, "amal", checked["code"], "done")
    step(world, "amal", checked["code"], "reviewed", code=errors.RoleRefused.exit)
    assert "Two at least" in world.here("amal", "edit", checked["code"], "--set", "planned_on=today").out


def test_a_course(world: World) -> None:
    """Trainees apply, attend, pass and find work; nobody is enrolled twice; a follow-up after three months."""
    course = world.add(
        "samar", "course", title_ar="الخياطة", trade="sewing", centre="مركز جبلة", starts_on=day(-5), ends_on=day(5)
    )["code"]
    women = [person(world, "samar", name) for name in ("ليلى", "سلمى")]
    first, second = several(world, "samar", "training_enrolment", *(f"person={one}" for one in women), course=course)
    again = world.add("samar", "training_enrolment", person=women[0], course=course)
    assert [one["rule"] for one in again["overlaps"]] == ["course"]
    world.json("samar", "remove", again["code"], "--reason", "twice")
    both = (first["code"], second["code"])
    step(world, "samar", both[0], "attending", code=errors.IllegalStep.exit)
    for state in ("accepted", "attending"):
        assert len(world.json("samar", "edit", *both, "--set", f"state={state}")) == 2
    for when in (day(-2), day(-1), "today"):
        world.json("samar", "edit", *both, "--put", f"sessions_attended={when}")
    assert world.json("samar", "show", both[0])["fields"]["sessions"] == 3
    assert due(world, "samar") == ["result", "result"]
    step(world, "samar", both[0], "completed", code=3)  # without its result
    step(world, "samar", both[0], "completed", "--set", "result=pass")
    step(world, "samar", both[1], "dropped")
    (line,) = world.json("samar", "agenda", "--until", day(120))
    assert (line["what"], line["due"], line["about"]) == ("work", day(95), "ليلى الحسن")
    step(world, "samar", both[0], "employed", "--set", "employed_on=today", "--set", "employer=معمل الساحل")
    told = figures(world, "livelihood", "people")
    assert (told["applied"], told["attending"], told["passed"], told["employed_3"]) == (2, 1, 1, 1)
    listed = world.here("samar", "list", "training_enrolment", "--where", "result=pass").out
    assert "الخياطة" in listed
    assert "Employed" in listed
    wrong = world.json(
        "samar",
        "add",
        "course",
        "--set",
        "title_ar=x",
        "--set",
        f"starts_on={day(3)}",
        "--set",
        f"ends_on={day(1)}",
        code=3,
    )
    assert "ends_on" in str(wrong["error"])


def test_loans_and_temporary_work(world: World) -> None:
    """A loan is appraised, approved, paid out and repaid; debt and next instalment are derived."""
    owner = person(world, "samar")
    mine = person(world, "amal", "هدى")
    asked = {
        "sector": "craft",
        "finance": "soft_loan",
        "fund": "صندوق التنمية",
        "amount": "1200000",
        "amount_currency": "SYP",
    }
    own = world.add("amal", "microproject", person=mine, **asked)["code"]
    step(world, "amal", own, "approved", code=errors.IllegalStep.exit)
    step(world, "amal", own, "appraised")
    step(world, "amal", own, "approved", code=errors.RoleRefused.exit)
    assert due(world, "amal") == []
    loan = world.add("samar", "microproject", person=owner, **asked)["code"]
    step(world, "samar", loan, "appraised")
    assert due(world, "samar") == ["approval"]
    step(world, "samar", loan, "approved")
    start = f"{TODAY - dt.timedelta(days=100):%Y-%m}-01"
    step(world, "samar", loan, "disbursed", "--set", f"disbursed_on={day(-120)}", "--set", "instalment=100000", "--set",
        f"first_due_on={start}", "--set", "jobs=2")  # fmt: skip
    (late,) = world.json("samar", "agenda", "--overdue")
    assert (late["what"], late["due"], late["about"]) == ("instalment", start, "ليلى الحسن")
    several(
        world,
        "samar",
        "repayment",
        "amount=100000; receipt_no=71",
        "amount=100000; receipt_no=72",
        project=loan,
        paid_on="today",
    )
    twice = world.add("samar", "repayment", project=loan, paid_on="today", amount="100000", receipt_no="72")
    assert [one["rule"] for one in twice["overlaps"]] == ["receipt"]
    changed = world.json(
        "samar", "edit", twice["code"], "--set", "amount=5", code=3
    )  # never changed: another one takes it back
    assert changed["error"]["hint"]
    world.add("samar", "repayment", project=loan, paid_on="today", amount="-100000", receipt_no="73")
    shown = world.json("samar", "show", loan)["fields"]
    assert (shown["repaid"], shown["owed"]) == (200000, 1000000)
    assert shown["next_due_on"][8:] == "01"
    (late,) = world.json("samar", "agenda", "--overdue")
    assert late["due"] == shown["next_due_on"] > start
    job = world.add("samar", "temporary_job", person=owner, project="ترميم المدرسة", from_date=day(-3))["code"]
    world.json("samar", "edit", job, "--put", f"days_paid={day(-1)},{day(0)}")
    world.json("samar", "edit", job, "--put", "days_paid=اليوم")  # counted already
    assert world.json("samar", "show", job)["fields"]["days"] == 2
    world.json("samar", "edit", job, "--set", f"to_date={day(-9)}", code=3)
    told = figures(world, "livelihood", "amount")
    assert told["repaid"] == 200000
    assert told["temporary"] == sum(f"{TODAY - dt.timedelta(days=n):%Y-%m}" == MONTH for n in (0, 1))
    assert {row["what"] for row in rows(world, "overdue")} <= {"instalment"}


def test_volunteers(world: World) -> None:
    """A duty with its speciality, hours counted on two laptops, a notice before it ends."""
    world.start()
    duty = world.add(
        "amal", "volunteer_duty", worker="Rami", kind="public_service", from_date=day(-30), to_date=day(5), hours="8"
    )["code"]
    assert "Speciality" in world.here("amal", "edit", duty, "--count", "hours=+4").out  # what is still missing
    world.json("amal", "edit", duty, "--set", "speciality=social")
    world.json("amal", "sync")
    world.json("samar", "sync")
    world.json("samar", "edit", duty, "--count", "hours=+٣")
    world.json("amal", "edit", duty, "--count", "hours=+5")
    for who in ("samar", "amal", "samar"):
        world.json(who, "sync")
    assert world.json("samar", "show", duty)["fields"]["hours"] == 20
    assert due(world, "amal") == ["end"]
    told = figures(world, "programmes", "n")
    assert (told["on_duty"], told["hours"], told["begun"]) == (1, 20, int(day(-30)[:7] == MONTH))
    world.json("amal", "edit", duty, "--set", f"to_date={day(-40)}", code=3)
    world.json("amal", "edit", duty, "--count", "hours=many", code=3)
    assert "Rami" in world.here("amal", "list", "volunteer_duty").out


def test_a_violation_report(world: World) -> None:
    """Amal records it and no longer sees it; Samar triages, investigates and acts; the home's figures count it, lists do not show it."""
    world.start()
    world.json("samar", "add", "institution", "--unit", "LAT/JBL", "--set", "name_ar=دار الأمل", "--set", "kind=children",
        "--set", "operator=جمعية", "--set", "location=جبلة", "--set", "capacity=9")  # fmt: skip
    for who in ("samar", "amal"):
        world.json(who, "sync")
    said = {"institution": "دار الأمل", "seen_on": day(-2), "kinds": "violence,neglect", "severity": "high", "reporter_kind": "staff",
        "reporter": "مها الشاهدة", "reporter_phone": "0955667788", "account": "رأت ذلك"}  # fmt: skip
    report = world.add("amal", "violation_report", **said)["code"]
    step(world, "amal", report, "acted", code=errors.IllegalStep.exit)
    sent = world.here("amal", "sync")
    assert f"{report} دار الأمل → units above LAT/JBL." in sent.out  # it has left, she is told where to
    world.json("amal", "show", report, code=errors.NoRecord.exit)
    world.json("samar", "sync")
    assert due(world, "samar") == ["triage"]
    step(world, "samar", report, "triaged")
    (line,) = world.json("samar", "agenda", "--until", day(60))
    assert (line["what"], line["due"], line["about"], line["unit"]) == ("investigation", day(1), "دار الأمل", "LAT/JBL")
    for state in ("investigating", "substantiated"):
        step(world, "samar", report, state)
    lacking = step(world, "samar", report, "acted", code=3)
    assert "acted_on" in str(lacking["error"])
    step(world, "samar", report, "acted", "--set", "acted_on=today", "--say", "action_taken=أُبعد المسؤول")
    assert due(world, "samar") == []
    assert [one["code"] for one in world.json("samar", "list", "violation_report", "--where", "stage=open")] == [report]
    step(world, "samar", report, "closed")
    assert "مها" not in world.here("samar", "list", "violation_report").out
    assert "مها" not in world.here("samar", "report", "institutions", "--month", MONTH).out
    (row,) = rows(world, "institutions")
    assert (row["reports"], row["open"], row["days"]) == (1, 0, 2) or day(-2)[:7] != MONTH
    out = world.folder / "reports.csv"
    world.json("samar", "export", "violation_report", "--out", str(out), "--sensitive")
    assert "مها" not in out.read_text(encoding="utf-8")
    assert "955667788" not in out.read_text(encoding="utf-8")
    world.json("amal", "sync")
    assert rows(world, "institutions", who="amal")[0]["reports"] == 0


def test_the_operator_of_a_home_learns_nothing_of_a_report(world: World) -> None:
    """Every query of its staff, on a caseworker's laptop or a partner's, shows no name, number or report."""
    world.start()
    world.json("dalia", "join", world.invite("Dalia", "caseworker", "LAT/JBL/DAR"))
    world.json("huda", "join", world.invite("Huda", "partner", "LAT/ALBIR"))
    world.json("samar", "add", "institution", "--unit", "LAT/JBL/DAR", "--set", "name_ar=دار الأمل", "--set", "kind=children",
        "--set", "operator=LAT/ALBIR", "--set", "location=جبلة", "--set", "capacity=9")  # fmt: skip
    for who in ("samar", "amal", "dalia", "huda"):
        world.json(who, "sync")
    report = world.add("amal", "violation_report", institution="دار الأمل", seen_on="today", kinds="violence", severity="high",
        reporter_kind="family", reporter="بشير الزيتوني", reporter_phone="0955667788", account="قال بشير الزيتوني")["code"]  # fmt: skip
    world.json("amal", "sync")
    assert (
        world.json("amal", "show", report)["fields"]["reporter"] == "بشير الزيتوني"
    )  # Jableh is above the home: hers to follow up
    world.json("samar", "sync")
    world.json("samar", "edit", report, "--set", f"seen_on={day(-1)}")
    world.json("amal", "edit", report, "--set", f"seen_on={day(-2)}", "--say", "account=بشير الزيتوني 0955667788")
    for who in ("samar", "amal", "samar", "dalia", "huda", "dalia"):
        world.json(who, "sync")
    assert [(one["code"], one["unit"]) for one in world.json("samar", "review", "list")] == [(report, "LAT/JBL/DAR")]
    for who in ("dalia", "huda"):
        out = world.folder / f"{who}.csv"
        for code, *words in (
            (5, "show", report), (5, "history", report), (0, "list", "violation_report"), (0, "find", "بشير"), (0, "find", "0955667788"),
            (0, "review", "list"), (0, "agenda", "--everybody"), (0, "duplicates", "list"), (0, "report", "institutions"),
            (0, "status"), (5, "edit", report, "--set", "severity=low"), (5, "remove", report, "--reason", "x"),
        ):  # fmt: skip
            said = world.here(who, *words)
            assert said.code == code or who == "huda", (who, words, said)
            assert not any(secret in said.out + said.err for secret in ("بشير", "955667788")), (who, words)
        world.here(who, "export", "violation_report", "--out", str(out))
        assert not out.exists() or "بشير" not in out.read_text(encoding="utf-8")
        node = open_node(world.folder / who)
        held = everything(node)
        node.close()
        assert not any(secret.encode() in held for secret in ("بشير", "الزيتوني", "955667788")), who
    assert rows(world, "institutions", who="dalia")[0]["reports"] == 0
    assert rows(world, "institutions")[0]["reports"] == int(day(-1)[:7] == MONTH)


def test_an_outreach_corner(world: World) -> None:
    """A corner is opened; a day's visits are one save, anonymous ones by number."""
    world.start()
    charity = world.add("samar", "organisation", name_ar="جمعية البر", kind="charity")["id"]
    world.json("samar", "sync")
    world.json("amal", "sync")
    corner = world.add("amal", "corner", host="جمعية البر", researchers="Amal,Basim")
    assert corner["fields"]["host"] == charity
    step(world, "amal", corner["code"], "active", code=3)
    step(world, "amal", corner["code"], "active", "--set", "activated_on=today")
    step(world, "amal", corner["code"], "planned", code=errors.IllegalStep.exit)
    who = person(world, "amal")
    made = several(world, "amal", "corner_visit", "sex=f; topics=cash,documentation; unnamed=12", "sex=m; topics=platform_help; unnamed=9",
        f"person={who}; sex=f; topics=platform_help; helped_for=older_relative", corner=corner["code"], served_on="today", researcher="Amal")  # fmt: skip
    world.json("amal", "edit", made[0]["code"], "--count", "unnamed=+3")
    told = figures(world, "monthly", "this", who="amal")
    assert [told[name] for name in ("corners_new", "corners_active", "served", "served_f", "served_m", "served_unnamed", "charities")] == [
        1, 1, 25, 16, 9, 24, 1,
    ]  # fmt: skip
    listed = world.here("amal", "list", "corner_visit", "--where", f"corner={corner['code']}").out
    assert "جمعية البر" in listed
    assert " 15 " in listed
    step(world, "amal", corner["code"], "paused")
    assert figures(world, "monthly", "this", who="amal")["corners_active"] == 0


def test_statements(world: World) -> None:
    """Requested, drafted, issued and answered; in the agenda until then; an issued one cannot be rewritten."""
    who = person(world, "amal")
    asked = world.add("amal", "statement", about=who, requested_by="البلدية", issued_by="المكتب", purpose="need")[
        "code"
    ]
    assert due(world, "amal") == ["answer"]
    step(world, "amal", asked, "issued", code=errors.IllegalStep.exit)
    step(world, "amal", asked, "drafted", "--set", "body=يُشهد بأنها بحاجة")
    lacking = step(world, "amal", asked, "issued", code=3)
    assert "issued_on" in str(lacking["error"])
    step(world, "amal", asked, "issued", "--set", "issued_on=today")
    assert due(world, "amal") == []
    world.json("amal", "edit", asked, "--set", "body=شيء آخر", code=3)
    step(world, "amal", asked, "void", code=errors.RoleRefused.exit)
    step(world, "amal", asked, "answered")
    assert figures(world, "monthly", "this", who="amal")["statements"] == 1
    world.start()
    world.json("amal", "sync")
    assert str(TODAY.year) in world.json("amal", "show", asked)["fields"]["serial"]  # the server's, nobody types it
    world.json("amal", "edit", asked, "--set", "serial=7", code=3)
    listed = world.here("amal", "list", "statement").out
    assert "Need" in listed
    assert "ليلى الحسن" in listed


def test_events(world: World) -> None:
    """A joint workshop: attendance counted on two laptops, participants, recommendations."""
    world.start()
    for name in ("جمعية البر", "جمعية الوفاء"):
        world.add("samar", "organisation", name_ar=name, kind="charity")
    world.json("samar", "sync")
    world.json("amal", "sync")
    event = world.add("amal", "event", title_ar="ورشة التفصيل", kind="workshop", held_on="today", host="جمعية البر",
        partners="جمعية البر,جمعية الوفاء", audience="beneficiaries", attended_f_18_59="20")["code"]  # fmt: skip
    world.json("amal", "sync")
    world.json("samar", "sync")
    world.json("samar", "edit", event, "--count", "attended_f_18_59=+5", "--count", "attended_m_60=+2")
    world.json("amal", "edit", event, "--count", "attended_f_18_59=+1")
    people = [person(world, "amal", name) for name in ("ليلى", "سلمى")]
    several(
        world, "amal", "participation", f"person={people[0]}; talent_note=صوت جميل", f"person={people[1]}", event=event
    )
    first, _ = several(world, "amal", "recommendation", "wording=دورة ثانية", "wording=قاعة أوسع", event=event)
    world.json("amal", "edit", first["code"], "--set", "done=yes", "--set", "done_on=today")
    for who in ("amal", "samar", "amal"):
        world.json(who, "sync")
    shown = world.json("amal", "show", event)["fields"]
    assert (shown["attended"], shown["joint"]) == (28, True)
    told = figures(world, "monthly", "this", who="amal")
    assert (told["joint"], told["workshops"], told["charities"]) == (1, 1, 2)
    assert len(world.json("amal", "list", "participation", "--where", f"event={event}")) == 2
    told = figures(world, "programmes", "n", who="amal")
    assert [told[name] for name in ("held", "attended", "took_part", "recommended", "carried_out")] == [1, 28, 2, 2, 1]
    assert [one["code"] for one in world.json("amal", "list", "recommendation", "--where", "done=yes")] == [
        first["code"]
    ]
    assert [one["code"] for one in world.json("amal", "list", "event", "--where", "joint=yes")] == [event]
    listed = world.here("amal", "list", "participation").out
    assert "ورشة التفصيل" in listed
    assert "ليلى الحسن" in listed
    world.json("amal", "add", "participation", "--set", f"person={people[0]}", "--set", "event=JBL-B-999-XX", code=0)

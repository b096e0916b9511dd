"""The example office's other programmes, with a few records each, so that every list and report has content."""

from typing import Any

from fieldsync.core import record_ids
from fieldsync.demo.example_work import Work
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.store.contract import RecordQuery


def play_programmes(work: Work) -> None:
    """Pensions, insurance, a sponsorship, an inspection, a loan paid back, a violation, volunteers, a course of singing."""
    work.back(60)
    with work.nodes["samar"].store.read() as tx:
        homes = {
            row.doc["kind"]: record_ids.id_text(row.state.record)
            for row in tx.select_rows(RecordQuery(type="institution"))
        }
    home, families = homes["children"], work.homes["omar"][9:19]
    _safety_nets(work, [one for one, _ in families])
    _people(work, [people for _, people in families])
    _home(work, home)
    _loan(work, families[0][1][0])
    _society(work, [people[-1] for _, people in work.homes["hala"][:5]])


def _safety_nets(work: Work, families: list[str]) -> None:
    """Two programmes; most who applied were enrolled, one was not, two wait for a decision."""
    given = (
        ("PEN", "معاش شهري", "pension", "selected(groups, 'martyr_family')"),
        ("NET", "شبكة الأمان", "safety_net", "income_monthly < 500000"),
    )
    programmes = work.save(
        "samar",
        [
            NewRecord("programme", Changes(
                set={"programme_code": code, "name_ar": name, "kind": kind, "eligibility": rule, "target": 20},
                put={"target_groups": ["low_income"]},
            ))
            for code, name, kind, rule in given
        ],
        "LAT",
    )  # fmt: skip
    for n, family in enumerate(families):
        made = work.add("samar", "enrolment", holder=family, programme=programmes[n % 2], applied_on=work.ago(70))
        if n == 0:
            work.edit("samar", made, state="not_eligible", decided_on=work.ago(60), decision_reason="دخل كافٍ")
        elif n < 8:
            work.edit("samar", made, state="eligible", decided_on=work.ago(60))
            work.edit("samar", made, state="enrolled", next_review_on=work.ago(n - 5))


def _people(work: Work, people: list[list[str]]) -> None:
    """Insured persons; days of work on a school; a child's sponsorship that ends soon."""
    for n, (head, *_) in enumerate(people):
        status = ("active", "none", "pensioner")[n % 3]
        work.add("omar", "insurance_membership", person=head, branch="pension", status=status)
    for head, *_ in people[:3]:
        days = [work.ago(days) for days in range(61, 69)]
        fields = {"person": head, "project": "ترميم مدرسة الحفة", "from_date": work.ago(70)}
        work.add("omar", "temporary_job", {"days_paid": days}, **fields)
    kafala = work.add(
        "samar", "sponsorship", child=people[1][-1], sponsor="أبو سامر", kind="home", ends_on=work.ago(-20)
    )
    work.edit("samar", kafala, state="active", starts_on=work.ago(300))


def _home(work: Work, home: str) -> None:
    """An inspection with its scores, overdue corrective actions, the next one planned; a reported violation."""
    team = {"team": ["سمر", "عمر"]}
    visit = work.add("samar", "inspection", team, institution=home, planned_on=work.ago(62))
    scores = (("النظافة", 4), ("الغذاء", 3), ("الأمان", 2), ("التعليم", 4))
    work.save(
        "samar",
        [
            NewRecord("inspection_score", Changes(set={"inspection": visit, "standard": standard, "score": score}))
            for standard, score in scores
        ],
    )
    work.edit("samar", visit, state="done", done_on=work.ago(62))
    work.edit("samar", visit, state="reviewed")
    work.add("samar", "corrective_action", inspection=visit, action="مخرج طوارئ", due_on=work.ago(10))
    work.add("samar", "inspection", team, institution=home, planned_on=work.ago(-5))
    said = {
        "institution": home,
        "seen_on": work.ago(61),
        "severity": "high",
        "reporter_kind": "volunteer",
        "reporter": "متطوعة",
    }
    changes = Changes(set=said, put={"kinds": ["neglect"]}, say={"account": "تأخر العلاج"})
    report = record_ids.id_text(save.add_record(work.nodes["samar"], "violation_report", changes))
    work.edit("samar", report, state="triaged")


def _loan(work: Work, owner: str) -> None:
    """A loan that was paid out half a year ago, of which two instalments have come back."""
    asked: dict[str, Any] = {
        "person": owner,
        "sector": "trade",
        "finance": "soft_loan",
        "fund": work.fund,
        "amount": 1_200_000,
    }
    loan = work.add("samar", "microproject", **asked, amount_currency="syp")
    for state in ("appraised", "approved"):
        work.edit("samar", loan, state=state)
    paid = {"disbursed_on": work.ago(180), "instalment": 100_000, "first_due_on": work.ago(150), "jobs": 2}
    work.edit("samar", loan, state="disbursed", **paid)
    back = [{"project": loan, "paid_on": work.ago(days), "amount": 100_000} for days in (150, 118)]
    work.save(
        "samar", [NewRecord("repayment", Changes(set={**one, "receipt_no": f"{n + 41}"})) for n, one in enumerate(back)]
    )


def _society(work: Work, children: list[str]) -> None:
    """Volunteers, singing for children with recommendations, and feedback."""
    for who, kind in (("رامي", "monitor"), ("نسرين", "trainer")):
        fields = {"worker": who, "kind": kind, "from_date": work.ago(90), "to_date": work.ago(-6)}
        save.add_record(work.nodes["hala"], "volunteer_duty", Changes(set=fields, count={"hours": 24}))
    seen = {"attended_f_6_11": 12, "attended_m_6_11": 9}
    held = {"title_ar": "كورال الأطفال", "kind": "music", "held_on": work.ago(61), "host": work.charities[2]}
    put = {"audience": ["children"], "partners": work.charities[1:]}
    event = record_ids.id_text(save.add_record(work.nodes["hala"], "event", Changes(set=held, put=put, count=seen)))
    for child in children:
        fields = {"event": event, "person": child}
        save.add_record(work.nodes["hala"], "participation", Changes(set=fields, say={"talent_note": "صوت جميل"}))
    said = ({"wording": "حفل في الصيف"}, {"wording": "مدرب دائم", "done": True, "done_on": work.ago(60)})
    work.save("hala", [NewRecord("recommendation", Changes(set={"event": event, **one})) for one in said])
    for kind, text in (("thanks", "شكراً للباحثين"), ("complaint", "تأخر الرد")):
        about = {"about": work.office, "kind": kind, "given_on": work.ago(60)}
        save.add_record(work.nodes["hala"], "feedback", Changes(set=about, say={"body": text}))

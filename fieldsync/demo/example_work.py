"""A year of work of the example office: families, aid, cases, referrals, and items pending at its end.

All of it is saved through the commands' own functions, on the laptops' stores; only their clocks are set back.
"""

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from typing import Any

from fieldsync.casework import cases, household_events
from fieldsync.core import record_ids
from fieldsync.environment import SYSTEM
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.replica.node import Node
from fieldsync.store.contract import Progress

HOUSEHOLDS, QUARTERS = 400, 4
WRITERS = ("amal", "basim", "rima", "nour", "omar", "hala")
PLACES = {"LAT/JBL": ("جبلة", "عين الشرقية"), "LAT/QRD": ("القرداحة", "الفاخورة"), "LAT/HFA": ("الحفة", "صلنفة")}
_FAMILY = (
    "الخطيب", "حداد", "العلي", "صقر", "ديوب", "شاهين", "إبراهيم", "الحسن", "سلوم", "القصير", "الأحمد", "زيتون", "خضور",
    "المصري", "عثمان", "الشيخ",
)  # fmt: skip
_WOMEN = ("مريم", "فاطمة", "هدى", "سعاد", "ليلى", "نوال", "رنا", "سلمى", "هناء", "آية")
_MEN = ("حسن", "علي", "يوسف", "خالد", "عمر", "محمود", "سامر", "أحمد", "طارق", "مصطفى")
_DAY = 86_400_000


class Work:
    """The office's people at their laptops."""

    def __init__(self, nodes: Mapping[str, Node], *, seed: int = 400) -> None:
        self.nodes = nodes
        self.chance = random.Random(seed)  # noqa: S311 - invented people, the same every time
        self.now = SYSTEM.wall_clock()
        # two hours ago, or where clocks are put back some of the year's dates would be tomorrow's by a clock set back
        self.today = dt.datetime.fromtimestamp(self.now / 1000 - 7_200).astimezone().date()
        self.homes: dict[str, list[tuple[str, list[str]]]] = {name: [] for name in WRITERS}
        self.cases: dict[str, list[str]] = {name: [] for name in WRITERS}
        self.aid: dict[str, list[str]] = {name: [] for name in WRITERS}
        self.planned: dict[str, list[str]] = {name: [] for name in WRITERS}
        self.closing: dict[str, str] = {}  # one of each laptop's cases, whose closure awaits approval
        self.corners: dict[str, str] = {}

    def ago(self, days: int) -> str:
        """Return the date a number of days ago."""
        return (self.today - dt.timedelta(days=days)).isoformat()

    def back(self, days: int) -> None:
        """Set all clocks back by a number of days."""
        then = self.now - days * _DAY
        for node in self.nodes.values():
            node.clock = lambda: then

    def reset_clocks(self) -> None:
        """Set everybody's clock right again, as it is when they sync."""
        for node in self.nodes.values():
            node.clock = SYSTEM.wall_clock

    def save(self, name: str, wanted: Sequence[NewRecord], unit: str | None = None) -> list[str]:
        """Save several new records at once."""
        return [record_ids.id_text(one) for one in save.add_records(self.nodes[name], wanted, unit=unit)]

    def add(self, name: str, type: str, put: Mapping[str, Sequence[object]] | None = None, **fields: object) -> str:
        """Save one new record."""
        return self.save(name, [NewRecord(type, Changes(set=fields, put=put or {}))])[0]

    def edit(self, name: str, ref: str, **fields: object) -> None:
        """Change a record."""
        save.edit_record(self.nodes[name], ref, Changes(set=fields))

    # --- the office

    def found_partners(self) -> None:
        """Write down at headquarters who works with whom: it reaches everybody below."""
        self.back(366)
        new = [
            NewRecord("organisation", Changes(set={"name_ar": name, "kind": kind}))
            for name, kind in (
                ("مديرية الشؤون الاجتماعية", "directorate"), ("صندوق المعونة", "fund"), ("جمعية البر", "charity"),
                ("جمعية الوفاء", "charity"), ("جمعية النور", "charity"), ("مديرية الصحة", "directorate"),
            )
        ]  # fmt: skip
        self.office, self.fund, *self.charities, self.health = self.save("hq", new, "LAT")
        place = self.save(
            "hq", [NewRecord("office", Changes(set={"org": self.office, "name_ar": "مكتب اللاذقية"}))], "LAT"
        )[0]
        known = {"role": "case_worker", "office": place, "active": True}
        workers = [
            NewRecord("worker", Changes(set={"name": self.nodes[name].person, "sex": sex, **known}))
            for name, sex in zip(WRITERS, "fmffmf", strict=True)
        ]
        self.workers = dict(zip(WRITERS, self.save("hq", workers, "LAT"), strict=True))

    def quarter(self, number: int, progress: Progress) -> None:
        """Do three months' work on each laptop, offline."""
        share = HOUSEHOLDS // (QUARTERS * 3 * len(WRITERS)) + 1
        for month in range(3):
            days = 365 - (number * 3 + month + 1) * 30 + 4
            self.back(days)
            for name in WRITERS:
                done = sum(map(len, self.homes.values()))
                progress(done, HOUSEHOLDS, "office")
                for _ in range(min(share, HOUSEHOLDS - done)):
                    self._family(name, days)
                self._month(name, days)

    def _family(self, name: str, days: int) -> None:
        """Register a family with its members."""
        node, chance = self.nodes[name], self.chance
        home, head = (record_ids.id_text(node.new_id()) for _ in range(2))
        unit, family = node.units[0], chance.choice(_FAMILY)
        father = chance.choice(_MEN)
        fields = {
            "family_name": family,
            "head": head,
            "registered_on": self.ago(days + 1),
            "location": chance.choice(PLACES[unit]),
            "displacement": chance.choice(("resident", "idp", "idp", "returnee")),
            "housing": chance.choice(("owned", "rented", "hosted", "shelter")),
        }
        size = chance.randint(1, 6)
        groups = chance.sample(("low_income", "woman_head", "older", "orphan", "crisis_family"), 2)
        phones = [f"09{chance.randint(30_000_000, 69_999_999)}"]
        new = [
            NewRecord(
                "household",
                Changes(set={**fields, "size_stated": size}, put={"groups": groups, "phones": phones}),
                record_ids.from_text(home),
            )
        ]
        for n in range(size):
            sex = chance.choice("fm")
            age = chance.randint(24, 74) if n < 2 else chance.randint(0, 17)
            given = chance.choice(_WOMEN if sex == "f" else _MEN)
            person = {
                "household": home,
                "given": given,
                "father": father,
                "family": family,
                "sex": sex,
                "alive": "alive",
            }
            born = {"birth_date": self.ago(days + age * 365 + chance.randint(1, 300)), "birth_precision": "day"}
            new.append(NewRecord("person", Changes(set=person | born), record_ids.from_text(head) if n == 0 else None))
        ids = self.save(name, new, unit)
        self.edit(name, home, state="registered")
        self.homes[name].append((home, ids[1:]))

    def _month(self, name: str, days: int) -> None:
        """A month of one laptop: aid, a case, a statement, a referral, visits."""
        chance, period, day = self.chance, self.ago(days)[:7], self.ago(days)
        aided = chance.sample(self.homes[name], min(8, len(self.homes[name])))
        basket = {"period": period, "kind": "food", "quantity": 1, "quantity_unit": "سلة", "provider": self.fund}
        aid = [NewRecord("benefit", Changes(set={**basket, "recipient": home})) for home, _ in aided]
        self.aid[name] += self.save(name, aid)
        if name not in self.corners:
            self.corners[name] = self.add(
                name,
                "corner",
                {"researchers": [self.workers[name]]},
                host=chance.choice(self.charities),
                activated_on=day,
            )
            self.edit(name, self.corners[name], state="active")
        visit = {"corner": self.corners[name], "served_on": day, "researcher": self.workers[name]}
        self.save(
            name,
            [
                NewRecord(
                    "corner_visit",
                    Changes(set=visit | {"sex": sex}, put={"topics": ["platform_help"]}, count={"unnamed": n}),
                )
                for sex, n in (("f", chance.randint(5, 20)), ("m", chance.randint(2, 15)))
            ],
        )
        for person in {self._person(name) for _ in range(3)}:
            self.save(
                name,
                [
                    NewRecord(
                        "corner_visit",
                        Changes(set=visit | {"sex": "f", "person": person}, put={"topics": ["platform_help"]}),
                    )
                ],
            )
        self._case(name, days)
        self._statement(name, day)
        self._referral(name, days)
        if days // 30 % 3 == 0:
            self._outside(name, day)

    def _outside(self, name: str, day: str) -> None:
        """Add each quarter's other work: a family without requests, a house to repair, a workshop, an initiative."""
        home, _ = self.chance.choice(self.homes[name])
        host, *partners = self.chance.sample(self.charities, 3)
        self.add(
            name, "taaffuf_finding", household=home, found_by=host, found_on=day, discreet_contact="عبر الجارة", outcome="open"
        )  # fmt: skip
        self._refer(name, "home_repair", "دار متضررة السقف", day)
        public = {"audience": ["public"]}
        self.add(name, "event", public, title_ar="ورشة عن المعونة", kind="workshop", held_on=day, host=host)
        joint = {**public, "partners": partners}
        self.add(name, "event", joint, title_ar="مبادرة الشتاء", kind="initiative", held_on=day, host=self.office)

    def _person(self, name: str) -> str:
        return self.chance.choice(self.chance.choice(self.homes[name])[1])

    def _case(self, name: str, days: int) -> None:
        """Open a case, assess it, plan it, and set the next visit: the older ones have had it, save a few that were forgotten."""
        node, chance = self.nodes[name], self.chance
        facts = {"case_type": "family", "found_by": "charity", "risk": chance.choice(("low", "medium", "high"))}
        made = cases.open_case(node, self._person(name), Changes(set=facts, put={"concerns": ["dropout"]}))
        case = record_ids.id_text(made)
        self.cases[name].append(case)
        if days > 30:
            found = Changes(set={"risk": facts["risk"], "answers": "دخل غير كاف، والأطفال خارج المدرسة"})
            cases.save_assessment(node, case, found)
        if days > 60:
            goal = Changes(set={"goal": "عودة الأطفال إلى المدرسة", "review_on": self.ago(days - 90)})
            cases.save_plan(node, case, goal, [])
        due = days - chance.randint(10, 40)
        visit = self.add(name, "follow_up", case=case, kind="home", due_on=self.ago(due), worker=node.person)
        if due > 45:
            self.back(due)
            self.edit(name, visit, state="done", done_on=self.ago(due))
            self.back(days)

    def _statement(self, name: str, day: str) -> None:
        asked: dict[str, Any] = {"requested_by": self.chance.choice(self.charities), "issued_by": self.office}
        made = self.add(name, "statement", about=self._person(name), purpose="need", **asked)
        self.edit(name, made, state="drafted", body="الأسرة مسجلة لدينا وبحاجة إلى المساعدة", issued_on=day)
        if self.chance.random() < 0.8:
            self.edit(name, made, state="issued")

    def _referral(self, name: str, days: int) -> None:
        """Refer somebody to a charity; most are answered."""
        day = self.ago(days)
        made = self._refer(name, "charity_help", "بحاجة إلى سلة غذائية", day)
        if days > 40 and self.chance.random() < 0.85:
            self.edit(name, made, state="accepted", answered_on=day)
            self.edit(name, made, state="done")

    def _refer(self, name: str, kind: str, reason: str, day: str) -> str:
        person, to = self._person(name), self.chance.choice(self.charities)
        consent = self.add(
            name, "consent", {"share_with": [to]}, subject=person, purpose="referral", method="written", given_on=day
        )
        made = self.add(
            name, "referral", {"services": ["food"]}, person=person, kind=kind, from_org=self.office, to_org=to,
            urgency=self.chance.choice(("routine", "urgent")), reason=reason, consent=consent,
        )  # fmt: skip
        self.edit(name, made, state="sent", sent_on=day)
        return made

    def approve(self, number: int) -> None:
        """At a quarter's end the supervisor approves its aid, its plans (not the last ones') and the closures that were asked for."""
        self.back(365 - (number + 1) * 90)
        for name in WRITERS:
            for one in self.aid[name]:
                self.edit("samar", one, state="approved")
            last = number == QUARTERS - 1
            self.planned[name] = [] if last else self.cases[name][number * 3 : number * 3 + 2]
            closing = [self.closing.pop(name)] if name in self.closing and not last else []
            for case in (*self.planned[name], *closing):
                cases.approve_request(self.nodes["samar"], case)

    def carry_out(self, number: int) -> None:
        """Issue the aid approved at a quarter's end and complete its steps; the goals of one case are met."""
        self.back(365 - (number + 1) * 90 - 1)
        for name in WRITERS:
            for one in self.aid[name]:
                self.edit(name, one, state="issued")
                if self.chance.random() < 0.95:
                    self.edit(name, one, state="received")
            self.aid[name] = []
            for case in self.planned[name]:
                cases.advance_case(self.nodes[name], case)
            if self.planned[name]:
                self.closing[name] = self.planned[name][0]
                cases.request_closure(self.nodes[name], self.closing[name], "goals_met")

    # --- what waits at the year's end

    def disagree(self) -> None:
        """Two write about the same family, twice; two give the same aid; some are registered once more elsewhere."""
        self.back(3)
        theirs = self.homes["amal"][:6]
        for home, _ in theirs:
            self.edit("amal", home, location="اللاذقية", address="قرب المدرسة")
            self.edit("basim", home, location="طرطوس")
        period = self.ago(3)[:7]
        for home, _ in theirs[:4]:
            for name, provider in (("amal", self.charities[0]), ("basim", self.charities[1])):
                self.add(
                    name, "benefit", recipient=home, period=period, kind="hygiene", quantity=1, quantity_unit="سلة", provider=provider
                )  # fmt: skip
        for home, _ in self.homes["rima"][:3]:
            fields = {"child_name": "نور", "child_sex": "f", "event_date": self.ago(5), "evidence": "document"}
            household_events.report_event(self.nodes["rima"], "birth", home, fields)
        self._again()

    def elsewhere(self) -> None:
        """A home for children and a training centre, with who lives and learns there; loans that were asked for."""
        self.back(120)
        place: dict[str, Any] = {"operator": self.charities[2], "location": "الحفة", "capacity": 12}
        homes = (("دار الأمل", "children"), ("مركز التدريب المهني", "vocational_centre"))
        new = [NewRecord("institution", Changes(set={"name_ar": name, "kind": kind, **place})) for name, kind in homes]
        home, centre = self.save("samar", new, "LAT/HFA")
        posts = {"institution": home, "post": "أخصائي نفسي", "needed": 3, "filled": 1}
        self.save("samar", [NewRecord("institution_post", Changes(set=posts))])
        dates: dict[str, Any] = {"starts_on": self.ago(120), "ends_on": self.ago(30), "seats": 12}
        course = self.add("omar", "course", title_ar="الخياطة", trade="sewing", centre=centre, **dates)
        for n, (_, (head, *others)) in enumerate(self.homes["omar"][:6]):
            trainee = self.add("omar", "training_enrolment", person=head, course=course)
            for state in ("accepted", "attending"):
                self.edit("omar", trainee, state=state)
            if n < 4:
                self.edit("omar", trainee, state="completed", result="pass")
            if others:
                self.add(
                    "omar", "placement", person=others[-1], institution=home, basis="family", from_date=self.ago(120)
                )
        loan: dict[str, Any] = {
            "sector": "craft",
            "finance": "soft_loan",
            "fund": self.fund,
            "amount": 2_000_000,
            "amount_currency": "syp",
        }
        for _, (head, *_) in self.homes["omar"][6:9]:
            self.add("omar", "microproject", person=head, **loan)

    def _again(self) -> None:
        """Families of Jableh that moved to Haffa, and were registered there as if they were new."""
        node, other = self.nodes["amal"], self.nodes["hala"]
        for home, people in self.homes["amal"][8:16]:
            with node.store.read() as tx:
                rows = tx.rows([record_ids.from_text(one) for one in (home, *people)])
            docs = [rows[record_ids.from_text(one)].doc for one in (home, *people)]
            again = record_ids.id_text(other.new_id())
            kept = ("given", "father", "family", "sex", "birth_date", "birth_precision", "alive")
            first = {"family_name": docs[0]["family_name"], "location": "الحفة", "displacement": "idp"}
            new = [
                NewRecord(
                    "household", Changes(set=first, put={"phones": docs[0]["phones"]}), record_ids.from_text(again)
                )
            ]
            for doc in docs[1:]:
                fields = {name: doc[name] for name in kept}
                fields["given"] = str(doc["given"]).replace("أ", "ا").replace("ة", "ه")
                new.append(NewRecord("person", Changes(set=fields | {"household": again})))
            self.save("hala", new)

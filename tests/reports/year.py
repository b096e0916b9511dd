"""The year 2025 of two offices and two charities with laptops of their own: what each did, and what must not be counted.

Everything is typed at a desk and travels through servers that are processes of their own: Jableh's laptops by their branch.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import structs

from fieldsync.core import record_ids
from fieldsync.demo.story_runner import free_port
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.review import duplicate_pairs
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.server import administration, branch_link
from tests.cast import JBL, QRD, SECRET, ServerProcess, fill, found_office, join_directly, open_node
from tests.reports.desk import Desk
from tests.tree import enrol_branch, office_texts

BIR, WAFA = "LAT/BIR", "LAT/WAFA"
LAPTOPS = {
    "amal": ("branch", "caseworker", JBL),
    "basim": ("branch", "caseworker", JBL),
    "rima": ("hq", "caseworker", QRD),
    "samar": ("hq", "supervisor", "LAT"),
    "bir": ("hq", "caseworker", BIR),
    "wafa": ("hq", "caseworker", WAFA),
}
CHARITIES, IDLE = 32, 4
RESEARCHERS, RESTING = 42, 5
CORNERS, JOINT, WORKSHOPS = 19, 13, 9
STATEMENTS = {"amal": 160, "basim": 150, "rima": 137, "samar": 6}
TAAFFUF = {"bir": 5, "wafa": 4, "amal": 2}
CHARITY_HELP = {"amal": 18, "rima": 16, "samar": 12}
REPAIRS = {"basim": 14, "samar": 12}
REGISTERED = {"amal": 140, "basim": 110, "rima": 120, "bir": 60, "wafa": 50}
TWICE = 20  # persons whom two laptops registered, each without knowing of the other
UNNAMED = 2_781 - sum(REGISTERED.values())
_GIVEN = {"f": ("مريم", "فاطمة", "هدى", "سعاد", "ليلى"), "m": ("حسن", "علي", "يوسف", "خالد", "عمر")}
_FAMILY = ("الحسن", "الخطيب", "حداد", "العلي", "صقر", "ديوب", "شاهين", "إبراهيم")
_TOLD = {"topics": ["platform_help"]}


class Year:
    """The offices, and what they have come to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.chance = random.Random(453)
        self.ports = {name: free_port() for name in ("hq", "branch")}
        found_office(home / "hq", self.ports["hq"])
        address = f"https://127.0.0.1:{self.ports['branch']}"
        administration.init_server(
            home / "branch", fill, administration.ServerPlan(org="x", unit=JBL, address=address), office_texts(home)
        )
        self.nodes = {name: open_node(home / name, shared=True) for name in ("hq", "branch")}
        enrol_branch(self.nodes["hq"], self.nodes["branch"], JBL)
        for name, (server, role, unit) in LAPTOPS.items():
            join_directly(self.nodes[server], home / name, name.capitalize(), role, [unit])
            self.nodes[name] = open_node(home / name)
        self.desks = {name: Desk(node) for name, node in self.nodes.items()}
        (home / "key").write_bytes(SECRET)
        self.people: dict[str, list[tuple[str, str, str]]] = {}  # by laptop: person, household, sex
        self.corners: dict[str, list[str]] = {name: [] for name in LAPTOPS}

    def __getitem__(self, name: str) -> Desk:
        """Return somebody's desk."""
        return self.desks[name]

    # --- syncing

    def sync(self, *names: str) -> None:
        """Let these laptops sync with the servers that they know."""
        for name in names:
            sync_once.sync_once(self.nodes[name])

    def night(self) -> None:
        """Let the branch sync with headquarters."""
        sync_once.sync_once(self.nodes["branch"], branch_link.server_above(self.nodes["branch"]).name)

    def everybody(self, but: str = "") -> None:
        """Let what anybody has done reach all."""
        names = [name for name in LAPTOPS if name != but]
        self.sync(*names)
        self.night()
        self.sync(*names)

    # --- saving

    def day(self, months: Sequence[int] = range(1, 11)) -> str:
        """Return a day of the year."""
        return f"2025-{self.chance.choice(months):02}-{self.chance.randint(1, 28):02}"

    def whom(self, name: str) -> str:
        """Return a person of somebody's register."""
        return self.chance.choice(self.people[name])[0]

    def save(self, name: str, wanted: Sequence[NewRecord], unit: str | None = None) -> list[str]:
        """Save several new records at once, as a form with its rows does."""
        return [record_ids.id_text(one) for one in save.add_records(self.nodes[name], wanted, unit=unit)]

    def statement(self, name: str, state: str = "issued", day: str = "", org: str = "") -> str:
        """Write a statement about somebody."""
        fields: dict[str, object] = {"about": self.whom(name), "issued_by": self.fund, "purpose": "need"}
        fields["requested_by"] = org or self.chance.choice(self.charities)
        if state != "requested":
            fields |= {"body": "نص", "issued_on": day or self.day()}
        return self[name].add("statement", state=state, **fields)

    def referral(self, name: str, kind: str, state: str, day: str = "", org: str = "") -> str:
        """Refer somebody to a charity, with the consent that it takes."""
        person, sent = self.whom(name), day or self.day()
        org = org or self.chance.choice(self.charities)
        consent = self[name].add(
            "consent", subject=person, purpose="referral", share_with=[org], method="written", given_on=sent[:8] + "01"
        )
        answered = {"answered_on": sent} if state in ("accepted", "rejected", "done", "in_progress") else {}
        reason = {"reject_reason": "no_capacity"} if state == "rejected" else {}
        when = {"sent_on": sent} if state != "draft" else {}
        return self[name].add(
            "referral", person=person, kind=kind, from_org=self.fund, to_org=org, services=["food"], urgency="routine",
            reason="حاجة", consent=consent, **when, **answered, **reason, state=state,
        )  # fmt: skip

    def event(self, name: str, kind: str, host: str, partners: Sequence[str], day: str = "") -> str:
        """Note an event."""
        held = day or self.day()
        return self[name].add(
            "event", title_ar="لقاء", kind=kind, held_on=held, host=host, partners=list(partners), audience=["public"]
        )

    def visit(
        self, name: str, *, person: str = "", sex: str = "f", unnamed: int = 0, day: str = "", corner: str = ""
    ) -> NewRecord:
        """Return a visit to a corner, by somebody or by some who gave no name."""
        corner = corner or self.chance.choice(self.corners[name])
        fields = {"corner": corner, "served_on": day or self.day(), "sex": sex}
        fields["researcher"] = self.chance.choice(self.researchers)
        count = {"unnamed": unnamed} if unnamed else {}
        return NewRecord(
            "corner_visit", Changes(set=fields | ({"person": person} if person else {}), put=_TOLD, count=count)
        )

    # --- the year

    def begin(self) -> None:
        """Write down at headquarters who there is; it reaches everybody."""
        hq = self["hq"]

        def organisations(kind: str, count: int) -> list[str]:
            new = [
                NewRecord("organisation", Changes(set={"name_ar": f"{kind} {n}", "kind": kind})) for n in range(count)
            ]
            return self.save("hq", new, "LAT")

        self.charities = organisations("charity", CHARITIES)
        self.idle = organisations("charity", IDLE)
        self.again = organisations("charity", 1)[0]  # one of them, entered once more
        self.fund, self.ministry = organisations("fund", 1)[0], organisations("ministry", 1)[0]
        place = hq.add("office", "LAT", org=self.fund, name_ar="المكتب", area=[])
        worker = {"role": "researcher", "office": place, "active": True}
        everybody = self.save(
            "hq",
            [
                NewRecord("worker", Changes(set={"name": f"باحث {chr(0x0627 + n)}", "sex": "fm"[n % 2], **worker}))
                for n in range(RESEARCHERS + RESTING)
            ],
            "LAT",
        )
        self.researchers, self.resting = everybody[:RESEARCHERS], everybody[RESEARCHERS:]
        self.everybody()

    def register(self) -> None:
        """Let everybody register families; twenty of Basim's people Amal has too, and the supervisor will see it."""
        for name, count in REGISTERED.items():
            self.people[name] = self._families(name, count)
        self.same = self._families("basim", TWICE, like=self.people["amal"][:TWICE])
        self.people["samar"] = self.people["rima"]
        self.sync("rima", "samar")

    def _families(self, name: str, count: int, like: Sequence[tuple[str, str, str]] = ()) -> list[tuple[str, str, str]]:
        made = []
        node = self.nodes[name]
        for start in range(0, count, 5):
            home = node.new_id()
            family = self.chance.choice(_FAMILY)
            new = [NewRecord("household", Changes(set={"family_name": family, "location": "جبلة"}), home)]
            for n in range(start, min(start + 5, count)):
                sex = like[n][2] if like else "fm"[n % 2]
                fields = {"given": self.chance.choice(_GIVEN[sex]), "family": family, "sex": sex}
                new.append(NewRecord("person", Changes(set={"household": record_ids.id_text(home), **fields})))
            ids = self.save(name, new, LAPTOPS[name][2])
            made += [(one, ids[0], str(w.changes.set["sex"])) for one, w in zip(ids[1:], new[1:], strict=True)]
        return made

    def corners_open(self) -> None:
        """Open the year's corners; others were open before, are planned only, or opened after."""
        names = [name for name in LAPTOPS if name != "samar"]
        for n in range(CORNERS):
            name = names[n % len(names)]
            state = "closed" if n == CORNERS - 1 else "active"
            self._corner(name, self.charities[n], self.day(), state)
        self._corner("rima", self.charities[0], "2024-11-03", "active")
        self._corner("amal", self.charities[1], "2026-01-04", "active")
        self[names[0]].add("corner", host=self.idle[0], researchers=[self.resting[0]], state="planned")

    def _corner(self, name: str, host: str, day: str, state: str) -> None:
        made = self[name].add("corner", host=host, activated_on=day, researchers=[self.researchers[0]], state=state)
        self.corners[name].append(made)

    def served(self, name: str, share: int, months: Sequence[int]) -> None:
        """Serve all who are registered here, some of them twice, and `share` people who gave no name."""
        new = []
        for n, (person, _, sex) in enumerate(self.people[name]):
            new += [
                self.visit(name, person=person, sex=sex, day=self.day(months)) for _ in range(2 if n % 4 == 0 else 1)
            ]
        while share:
            some = min(share, self.chance.randint(1, 30))
            sex = self.chance.choice("fm")
            new.append(self.visit(name, sex=sex, unnamed=0 if some == 1 else some, day=self.day(months)))
            share -= some
        new += [self.visit(name, sex="m", unnamed=7, day=day) for day in ("2024-12-31", "2026-01-01")]
        self.save(name, new)

    def work(self) -> None:
        """Do the year's work, offline: each laptop what is its own, and what will turn out not to count."""
        share = UNNAMED // len(REGISTERED)
        for name in REGISTERED:
            more = UNNAMED % len(REGISTERED) if name == "amal" else 0
            self.served(name, share + more, range(1, 13) if name == "basim" else range(1, 11))
        self.save("basim", [self.visit("basim", person=p, sex=sex) for p, _, sex in self.same])
        for researcher in self.researchers:  # everybody at least once, at people who were served anyway
            again = self.visit("rima", person=self.people["rima"][0][0], sex=self.people["rima"][0][2])
            self.save(
                "rima",
                [
                    structs.replace(
                        again, changes=Changes(set={**again.changes.set, "researcher": researcher}, put=_TOLD)
                    )
                ],
            )
        old = self.visit("rima", person=self.people["rima"][0][0], day="2024-05-05")
        self.save(
            "rima",
            [structs.replace(old, changes=Changes(set={**old.changes.set, "researcher": self.resting[1]}, put=_TOLD))],
        )
        for name, org in zip(
            ("amal", "rima", "samar"), (self.charities[:11], self.charities[11:22], self.charities[22:]), strict=True
        ):
            kinds = [*org, *org][: CHARITY_HELP[name]]
            self._refer(name, kinds)
        for name, count in REPAIRS.items():
            for n in range(count):
                self.referral(name, "home_repair", ("sent", "accepted", "done")[n % 3])
        for name, count in TAAFFUF.items():
            for _ in range(count):
                self._finding(name, self.day())
        self._finding("wafa", "2024-09-09")
        self._events()

    def _refer(self, name: str, orgs: Sequence[str]) -> None:
        for n, org in enumerate(orgs):
            self.referral(name, "charity_help", ("sent", "accepted", "rejected", "in_progress", "done")[n % 5], org=org)
        self.referral(name, "charity_help", "draft", org=self.idle[1])
        self.referral(name, "charity_help", "sent", "2024-12-30")
        self.referral(name, "service", "sent", org=self.ministry)

    def _finding(self, name: str, day: str) -> str:
        _, home, _ = self.chance.choice(self.people[name])
        return self[name].add(
            "taaffuf_finding", household=home, found_by=self.charities[0], found_on=day, discreet_contact="عبر الجارة",
            outcome="open",
        )  # fmt: skip

    def _events(self) -> None:
        """Joint ones, workshops, some both; what one partner did, or was held elsewhere or another year, is neither."""
        two = self.charities[3:5]
        for n in range(JOINT - 1):  # the last is the one that two people note
            kind = "workshop" if n < 3 else "initiative"
            self.event("samar" if n % 2 else "rima", kind, self.charities[n] if n < 3 else self.ministry, two)
        for n in range(WORKSHOPS - 4):
            self.event("amal", "training" if n % 2 else "workshop", self.charities[n], [])
        self.event("rima", "meeting", self.charities[6], two[:1])
        self.event("samar", "workshop", self.fund, [])
        self.event("samar", "workshop", self.charities[6], two, "2024-03-03")
        self.event("samar", "initiative", self.charities[6], two, "2026-02-02")

    def statements(self) -> None:
        """Write the statements; Basim's of the last two months stay on his laptop for long."""
        for name, count in STATEMENTS.items():
            for n in range(count):
                late = name == "basim" and n < 9
                self.statement(
                    name, "answered" if n % 3 == 0 else "issued", self.day((11, 12) if late else range(1, 11))
                )
        for state in ("requested", "drafted", "void"):
            self.statement("amal", state, org=self.idle[2] if state != "drafted" else "")
        for day in ("2024-06-06", "2026-01-02"):
            self.statement("rima", "issued", day)

    def disagree(self) -> None:
        """Let people write about the same thing without knowing of each other, and say what is true."""
        mine = [self.statement("amal", "issued", "2025-05-05") for _ in range(4)]
        self._corner("rima", self.again, "2024-02-02", "paused")
        self.save("rima", [self.visit("rima", person=self.people["rima"][2][0], corner=self.corners["rima"].pop())])
        twice, other = (
            self.event(name, "workshop", self.charities[5], self.charities[5:7], "2025-07-07")
            for name in ("amal", "basim")
        )
        withdrawn = self.statement("amal", "issued", "2025-06-06")
        self.everybody()
        for one in mine:
            self["samar"].edit(one, state="void")
            self["amal"].edit(one, state="answered")
        save.remove_record(self.nodes["samar"], withdrawn, "خطأ")
        duplicate_pairs.merge_records(self.nodes["samar"], twice, other)
        duplicate_pairs.merge_records(self.nodes["samar"], self.charities[8], self.again)
        for (stays, _, _), (gives, _, _) in zip(self.people["amal"], self.same, strict=False):
            duplicate_pairs.merge_records(self.nodes["samar"], stays, gives)
        self.sync("samar")
        self.sync("amal")
        self.night()
        self.sync("samar")
        self.void = mine

    def decide(self) -> int:
        """Let the supervisor decide what is open: all four statements are void. Returns how many that were."""
        from fieldsync.review import decisions

        items = decisions.list_conflicts(self.nodes["samar"], ConflictFilter(field="state"))
        for item in items:
            head = next(head for head in item.heads if head.value == "void")
            decisions.decide_conflict(self.nodes["samar"], item.record, "state", head=head.name)
        return len(items)

    def close(self) -> None:
        """Close all stores."""
        for node in self.nodes.values():
            node.close()


@contextmanager
def offices(home: Path) -> Iterator[Year]:
    """Have the offices at work for a while, their servers as processes."""
    year = Year(home)
    servers = [ServerProcess(home / name, port) for name, port in year.ports.items()]
    try:
        for server in servers:
            server.start()
        yield year
    finally:
        for server in servers:
            if server.running:
                server.stop()
        year.close()
    for server in servers:
        assert not [line for line in server.said if "Traceback" in line]

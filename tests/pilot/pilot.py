"""The routine of the pilot: updates in the morning, work, syncs in the afternoon, branches and backups at night."""

import random
import re
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from fieldsync.core.version import VERSION
from tests.pilot.computers import Calendar, PilotComputer, Result, SmallDisk, clocked_release
from tests.pilot.diary import Diary
from tests.pilot.plan import FIRST, Branch, Person, Plan

_FAMILIES = ("الخطيب", "حداد", "العلي", "صقر", "ديوب", "شاهين", "إبراهيم", "الحسن", "سلوم", "القصير", "زيتون", "خضور")
_MEN = ("حسن", "علي", "يوسف", "خالد", "عمر", "محمود")
_WOMEN = ("مريم", "فاطمة", "سعاد", "ليلى", "نوال", "رنا")
_STICK_NIGHTS = 3  # days between two visits of the driver
EQUAL = {"equal", "healed"}


class Family(NamedTuple):
    """A family that somebody registered: its id, its unit, and a child of it."""

    id: str
    unit: str
    child: str


class Pilot:
    """An organisation, its computers, and what is known of its work."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.diary = Diary()
        self.calendar = Calendar(folder / "clock", FIRST)
        self.closing = ExitStack()
        self.release = clocked_release(folder / "program")
        self.closing.callback(self.release.close)
        self.disk = SmallDisk(folder / "disk")
        self.closing.callback(self.disk.close)
        self.branches = {one.name: one for one in plan.branches}
        self.people = {one.name: one for one in plan.people}
        self.computers: dict[str, PilotComputer] = {}
        self.families: dict[str, list[Family]] = {}
        self.acknowledged: dict[str, int] = {}  # of a lost laptop: by its id, how many saves a server had taken
        self.lost_letters: dict[str, str] = {}  # its id by its letters
        self.lost: set[str] = set()
        self.due: set[str] = set()  # who must sync today
        self.full: set[str] = set()  # servers without room, or switched off
        self.held_back: set[str] = set()  # who met those
        self.saves = 0
        self._quoted: set[tuple[str, str]] = set()

    def add_computer(self, name: str, home: Path, release: Any) -> PilotComputer:
        """Put up a computer."""
        self.computers[name] = PilotComputer(home, release, self.calendar)
        return self.computers[name]

    @property
    def servers(self) -> list[str]:
        """All servers, headquarters first."""
        return ["hq", *self.branches]

    def version(self, name: str) -> str:
        """Return the version that a computer has."""
        return "0.1" if self.computers[name].release else VERSION

    # --- the first day

    def found(self) -> None:
        """Set up servers and laptops."""
        self.begin_day(1)
        hq = self.add_computer("hq", self.folder / "hq", self.release).found("Directorate", "LAT")
        hq.start()
        for branch in self.plan.branches:
            place = self.disk.place if branch.name == "jbl" else self.folder
            server = self.add_computer(branch.name, place / branch.name, self.release).found(branch.name, branch.unit)
            server.json("server", "upstream", "set", hq.invite(branch.name, "branch", branch.unit))
            server.start()
        self.closing.callback(self.stop_servers)
        for person in self.plan.people:
            self.join(person, person.name.lower())
        self.diary.note(
            "hq",
            "sets up the server, its branches and laptops, all with 0.1",
            f"{len(self.plan.people)} laptops joined",
        )

    def join(self, person: Person, folder: str) -> Any:
        """Give somebody a laptop."""
        laptop = self.add_computer(person.name, self.folder / folder, self.computers[person.server].release)
        return laptop.json("join", self.computers[person.server].invite(person.name, person.role, person.unit))

    def stop_servers(self) -> None:
        """Stop all that serve."""
        for name in self.servers:
            self.computers[name].stop()

    # --- a day

    def begin_day(self, day: int) -> None:
        """Let a morning come."""
        self.day = day
        self.diary.day = day
        self.calendar.set(day, 8)

    def update_computers(self) -> None:
        """Install 0.2 where its day has come."""
        if self.day == self.plan.update:
            self.update("hq")
        for one in (*self.plan.branches, *self.plan.people):
            if one.update == self.day and one.name not in self.lost and self.computers[one.name].release:
                self.update(one.name)
                self.due |= {one.name} & self.people.keys()

    def update(self, name: str) -> None:
        """Install today's program in place of 0.1."""
        computer = self.computers[name]
        serves = name in self.servers
        if serves:
            computer.stop()
        computer.update()
        if serves:
            computer.start()
        checked = computer.ask(*(["server"] if serves else []), "check")
        assert checked.code == 0, checked
        self.diary.note(name, f"updates 0.1 to {VERSION}", "store verified: no fault")

    def work(self) -> None:
        """Let people work on their laptops, without any connection."""
        self.calendar.set(self.day, 9)
        before, at_work = self.saves, []
        for person in self.present():
            if self.chance.random() < 0.75:
                at_work.append(person.name)
                for _ in range(self.chance.randint(1, 3)):
                    self.calendar.set(self.day, 9 + len(at_work) // 4, self.chance.randint(0, 59))
                    self.work_once(person)
                if self.chance.random() < 0.65:
                    self.due.add(person.name)
        if at_work:
            self.diary.note(
                "laptops", f"{len(at_work)} at work offline: {', '.join(at_work)}", f"{self.saves - before} saves"
            )

    def present(self) -> list[Person]:
        """Who works today."""
        return [one for one in self.plan.people if one.name not in self.lost and self.day not in one.away]

    def save(self, name: str, *words: str) -> Any:
        """Save something on a laptop; that it is refused ends the pilot."""
        self.saves += 1
        return self.computers[name].json(*words)

    def work_once(self, person: Person) -> None:
        """Do one thing: register a family, visit one, give aid, open a case."""
        known = self.families.setdefault(person.name, [])
        step = self.chance.choice(("family", "visit", "visit", "aid", "case", "child")) if known else "family"
        if step == "family":
            self._register(person)
            return
        family = self.chance.choice(known)
        if step == "visit":
            self.save(person.name, "edit", family.id, "--set", f"address=visit {self.saves} of {person.name}")
        elif step == "child":
            self._add_child(person, family.id)
        elif step == "aid":
            period = f"{FIRST:%Y-%m}"
            aid = (f"recipient={family.id}", "kind=food", f"period={period}", "quantity=1", "quantity_unit=سلة")
            self.save(person.name, "add", "benefit", *(word for one in aid for word in ("--set", one)))
        else:
            words = ("--type", "child", "--concern", "dropout", "--risk", "medium", "--found-by", "school")
            self.save(person.name, "case", "open", family.child, *words)

    def _register(self, person: Person) -> None:
        unit = person.unit if "/" in person.unit else self.plan.branches[self.saves % len(self.plan.branches)].unit
        name = self.chance.choice(_FAMILIES)
        fields = (f"family_name={name}", f"location=قرية {self.saves}")
        home = self.save(
            person.name, "add", "household", *(word for one in fields for word in ("--set", one)), "--unit", unit
        )["id"]
        self.families[person.name].append(Family(home, unit, self._add_child(person, home)))

    def _add_child(self, person: Person, home: str) -> str:
        sex = self.chance.choice("fm")
        fields = (
            f"household={home}", f"given={self.chance.choice(_WOMEN if sex == 'f' else _MEN)}", f"father={self.chance.choice(_MEN)}",
            f"family={self.chance.choice(_FAMILIES)}", f"sex={sex}", "alive=alive", "birth_precision=day",
            f"birth_date={self.chance.randint(2010, 2019)}-{self.chance.randint(1, 12):02}-{self.chance.randint(1, 28):02}",
        )  # fmt: skip
        return str(self.save(person.name, "add", "person", *(word for one in fields for word in ("--set", one)))["id"])

    # --- syncs

    def sync_laptops(self) -> None:
        """Let those sync who have a connection today."""
        self.calendar.set(self.day, 15)
        told = [(name, self.sync(name)) for name in self.people if name in self.due and name not in self.lost]
        self.due.clear()
        equal = [(name, one) for name, one in told if not one.code]
        if equal:
            commits = sum(one.told["up"]["commits"] for _, one in equal)
            off = [
                f"{name}: clock {one.told['clock_off_ms'] // 3_600_000} h off" for name, one in equal if _is_off(one)
            ]
            said = f"{commits} saves sent, {sum(one.told['down']['states'] for _, one in equal)} records received, digests equal"
            self.diary.note("laptops", f"sync: {', '.join(name for name, _ in equal)}", "; ".join([said, *off]))
        failed: dict[tuple[str, str, str], list[str]] = {}
        for name, one in told:
            if one.code:
                server = self.people[name].server
                said = re.sub(r"https://[\d.:]+", server, one.message)
                failed.setdefault((self.version(name), server, self._quote(one.error, said)), []).append(name)
        for (version, server, said), names in failed.items():
            self.diary.note(", ".join(names), f"({version}) sync with {server}", said)

    def _quote(self, code: str, message: str) -> str:
        """Return an error as the diary tells it: in full where it is new."""
        if (code, message) in self._quoted:
            return f"`{code}`"
        self._quoted.add((code, message))
        return f"`{code}`: {message}"

    def sync(self, name: str) -> Result:
        """Sync a laptop: its digests are equal, or it is behind its server and only sends."""
        laptop, server = self.computers[name], self.people[name].server
        told = laptop.ask("sync", *(["--tries", "1"] if server in self.full else []))
        if told.code == 0:
            assert told.told["digest"] in EQUAL, (name, told)
            assert not told.told["refused"], (name, told)
        elif server in self.full and told.error in {"disk_full", "unreachable"}:
            self.held_back.add(name)
            return told
        else:
            assert told.error == "bad_version", (name, told)
            assert (self.version(name), self.version(server)) == ("0.1", VERSION)
            assert laptop.json("status")["unsent"] == 0
        return told

    def night(self) -> None:
        """Let the branches sync with headquarters, the driver carry the stick, and headquarters be backed up."""
        self.calendar.set(self.day, 22)
        told = [self.sync_branch(one) for one in self.plan.branches if not one.stick]
        self.diary.note("branches", "sync with hq", "; ".join(told))
        for branch in self.plan.branches:
            if branch.stick and self.day % _STICK_NIGHTS == 0:
                self.diary.note(branch.name, "exchanges bundles with hq on a USB stick", self.carry(branch))
        self.back_up()

    def sync_branch(self, branch: Branch) -> str:
        """Sync a branch with headquarters, and return what it told."""
        if branch.name in self.full and not self.disk.mounted:
            return f"{branch.name} is off"
        told = self.computers[branch.name].ask("server", "upstream", "sync")
        if told.code == 0:
            assert told.told["digest"] in EQUAL, (branch, told)
            up, down = told.told["up"]["commits"], told.told["down"]["states"]
            return f"{branch.name}: {up} saves up, {down} records down, digests {told.told['digest']}"
        if branch.name in self.full:
            assert told.error == "disk_full", told
        else:
            assert told.error == "bad_version", told
            assert self.version(branch.name) == "0.1"
        return f"{branch.name} ({self.version(branch.name)}): {self._quote(told.error, told.message)}"

    def carry(self, branch: Branch) -> str:
        """Carry a branch's bundle to headquarters, and the answer back; return what was told."""
        here, hq = self.computers[branch.name], self.computers["hq"]
        up, down = (str(self.folder / f"{branch.name}-{secrets.token_hex(4)}-{way}.age") for way in ("up", "down"))
        packed, letters = here.json("pack", up), here.json("status")["id"]
        taken = hq.json("unpack", up)
        hq.json("pack", down, "--for", letters)
        told = here.json("unpack", down)
        assert packed["commits"] >= taken["up"]["commits"]
        return f"{taken['up']['commits']} saves up, {told['down']['states']} records down, digests {told['digest']}"

    def back_up(self) -> None:
        """Back up headquarters."""
        self.calendar.set(self.day, 23, 30)
        self.backup = self.folder / f"hq-{self.day}.fsbackup"
        self.computers["hq"].json("server", "backup", str(self.backup))


def _is_off(one: Result) -> bool:
    return abs(one.told["clock_off_ms"]) > 3_600_000

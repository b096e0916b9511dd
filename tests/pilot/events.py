"""What happens to the pilot besides its routine; each event is named in a plan."""

import datetime as dt

from fieldsync.core.version import VERSION
from fieldsync.ui.words_en.devices import WORDS
from tests.cast import ROOT
from tests.pilot import computers
from tests.pilot.pilot import EQUAL, Family, Pilot


class Events(Pilot):
    """The pilot with its events."""

    def _shared(self, *names: str) -> Family:
        """Return a family that all of these have on their laptops."""
        for name in (*names, *names):
            self.sync(name)
        for owner in names:
            for family in self.families.get(owner, []):
                if all(self.computers[name].ask("show", family.id).code == 0 for name in names):
                    return family
        raise AssertionError(f"{names} share no family")

    def disagree(self, *names: str) -> None:
        """Several people write different addresses of a family while offline."""
        family = self._shared(*names)
        for minute, name in enumerate(names):
            self.calendar.set(self.day, 11, minute)
            self.save(name, "edit", family.id, "--set", f"location=حي {name} {self.day}")
            self.due.add(name)
        self.diary.note(" and ".join(names), "write different places of one family, offline", "both saved")

    def settle(self, name: str) -> None:
        """A supervisor decides all open conflicts for the value shown."""
        self.sync(name)
        decided = 0
        for item in self.computers[name].json("review", "list"):
            head = item["heads"][0]
            self.save(
                name,
                "review",
                "take",
                item["record"],
                item["field"],
                "--head",
                f"{head['device']}:{head['seq']}",
                "--note",
                "visited",
            )
            decided += 1
        told = self.sync(name)
        self.diary.note(
            name,
            "decides open conflicts in `review take`",
            f"{decided} decided, {told.told['up']['commits']} saves sent, digests equal",
        )

    def move(self, name: str, unit: str) -> None:
        """A family moves to another unit with all that belongs to it."""
        family = self.families[name].pop()
        self.save(name, "move", family.id, "--unit", unit, *([] if self.computers[name].release else ["--yes"]))
        self.due.add(name)
        self.diary.note(name, f"moves a family to {unit}, with all that belongs to it", "moved")

    def remove(self, name: str) -> None:
        """A family that was registered by mistake is removed."""
        family = self.families[name].pop()
        self.save(name, "remove", family.id, "--reason", "entered_in_error", "--yes")
        self.due.add(name)
        self.diary.note(name, "removes a family registered by mistake", "removed; it stays in the history")

    def wrong_clock(self, name: str) -> None:
        """A laptop's clock goes wrong."""
        self.computers[name].skew = dt.timedelta(days=-2)
        self.due.add(name)
        self.diary.note(name, "changes the battery: the laptop's clock is two days behind")

    def right_clock(self, name: str) -> None:
        """It is set right."""
        self.computers[name].skew = dt.timedelta()
        self.diary.note(name, "sets the laptop's clock right")

    def publish(self) -> None:
        """Headquarters puts the forms of today's program in force."""
        told = self.computers["hq"].json("schema", "publish", str(ROOT / "schemas"))
        self.diary.note("hq", f"publishes the forms of {VERSION}", f"{len(told['changes'])} types changed")

    def lose(self, name: str) -> None:
        """A laptop is stolen with unsent saves; headquarters revokes it."""
        person = self.people[name]
        self.sync(name)
        laptop = self.computers[name]
        status = laptop.json("status")
        self.acknowledged[status["id"]] = status["receipts"][0]["seq"]
        self.lost_letters[status["device"]] = status["id"]
        for _ in range(2):
            self.work_once(person)
        unsent = laptop.json("status")["unsent"]
        server = self.computers[person.server]
        server.json("server", "revoke", status["id"])
        self.lost.add(name)
        self.diary.note(
            name,
            f"loses the laptop, with {unsent} unsent saves",
            f"{status['receipts'][0]['seq']} saves are with the server",
        )
        found = laptop.ask("sync")
        assert found.error == "revoked", found
        self.diary.note(person.server, "revokes it; the finder tries to sync", f"`{found.error}`: {found.message}")

    def replace(self, name: str) -> None:
        """Its user gets another laptop."""
        self.lost_computer = self.computers[name]
        self.lost.remove(name)
        told = self.join(self.people[name], f"{name.lower()}-2")
        laptop = self.computers[name]
        kept = [family for family in self.families[name] if laptop.ask("show", family.id).code == 0]
        gone = len(self.families[name]) - len(kept)
        self.families[name] = kept
        records = sum(told["records"].values())
        self.diary.note(
            name,
            f"joins with a new laptop ({self.version(name)})",
            f"{records} records; {gone} unsent families are gone",
        )

    def visit(self, name: str) -> None:
        """Somebody whose branch is behind syncs with headquarters itself, gets its forms, and goes back."""
        self.work_once(self.people[name])
        told = self.computers[name].ask("sync", "--server", "Directorate")
        assert told.told["digest"] in EQUAL, told
        said = f"{told.told['up']['commits']} saves sent, {told.told['down']['states']} records and {len(told.told['forms'])} forms received"
        self.diary.note(name, f"({self.version(name)}) visits hq and syncs there", said)
        self.work_once(self.people[name])
        self.due.add(name)

    def fill_disk(self, server: str) -> None:
        """A branch's disk fills up, after a restart: so there is no log that is longer than needed."""
        self.full.add(server)
        if self.disk.mounted:
            self.computers[server].stop()
            self.computers[server].start()
            self.disk.fill_up()
            self.diary.note(server, "has a full disk: somebody copied films to it")
        else:
            self.computers[server].stop()
            self.diary.note(server, "is switched off (here the script may not mount a disk that fills up)")
        self.due.update(one.name for one in self.present() if one.server == server)

    def free_disk(self, server: str) -> None:
        """There is room again."""
        if self.disk.mounted:
            self.disk.empty()
            what = "has room again; nobody has to restart anything"
        else:
            self.computers[server].start()
            what = "is switched on again"
        self.full.remove(server)
        waiting = sum(self.computers[name].json("status")["unsent"] for name in self.held_back if name not in self.lost)
        self.diary.note(server, what, f"{waiting} saves wait on laptops")
        self.due |= self.held_back
        self.held_back.clear()

    def lose_headquarters(self, name: str) -> None:
        """The disk of headquarters dies after syncs that the last backup has not; it is restored."""
        for _ in range(2):
            self.work_once(self.people[name])
        told = self.sync(name)
        self.diary.note(name, "syncs with hq in the morning", f"{told.told['up']['commits']} saves sent, digests equal")
        hq = self.computers["hq"]
        hq.stop()
        computers.remove(hq.home)
        fault = self.computers[name].ask("sync", "--tries", "1")
        self.diary.note("hq", f"loses its disk; {name} syncs", f"`{fault.error}`: {fault.message}")
        hq.json("server", "restore", str(self.backup))
        hq.start()
        self.diary.note("hq", "is restored from the backup of the night before", "restored")
        again = self.sync(name)
        said = f"{again.told['up']['commits']} saves sent again, digests {again.told['digest']}"
        self.diary.note(name, "syncs again", said)

    def fleet(self) -> None:
        """Headquarters looks at its fleet: what is late, and who has which version."""
        told: dict[str, list[str]] = {}
        for one in self.computers["hq"].json("server", "fleet"):
            for need in one["needs"]:
                who = "hq" if one["kind"] == "server" else one["person"]
                told.setdefault(WORDS[f"fleet_short.{need['what']}"], []).append(
                    f"{who} ({one['version'] or 'version unknown'})"
                )
        for what, names in told.items():
            self.diary.note("hq", f"`server fleet` lists {what}", ", ".join(names))

    def rehearse(self) -> None:
        """Headquarters backs itself up by schedule, and opens that backup."""
        hq, folder = self.computers["hq"], self.folder / "backups"
        folder.mkdir()
        hq.json("server", "backup", "schedule", "--to", str(folder))
        hq.json("server", "backup", "now")
        told = hq.ask("server", "restore", "--rehearse")
        assert told.code == 0, told
        self.diary.note("hq", "schedules backups, makes one, and rehearses its restore", "no fault")

"""The end of the pilot: everybody syncs, and what must hold then."""

from collections import Counter

from fieldsync.core.version import VERSION
from fieldsync.ui.words_en.devices import WORDS
from tests.cast import open_node
from tests.pilot.events import Events
from tests.pilot.pilot import Pilot


def end(pilot: Events, supervisor: str) -> None:
    """Bring everything together, decide what is open, and check."""
    pilot.calendar.set(pilot.day, 17)
    _bring_together(pilot)
    pilot.settle(supervisor)
    _leave_one_open(pilot, supervisor)
    _bring_together(pilot)
    check_versions(pilot)
    check_digests(pilot)
    check_conflicts(pilot)
    check_quarantine(pilot)
    check_fleet(pilot)
    check_stores(pilot)
    pilot.stop_servers()
    check_commits(pilot)


def _bring_together(pilot: Pilot) -> None:
    for _ in range(min(len(pilot.plan.branches) + 1, 3)):  # what one branch learned late reaches the laptops of another
        for name in pilot.people:
            pilot.sync(name)
        for branch in pilot.plan.branches:
            server = pilot.computers[branch.name]
            if branch.stick:
                pilot.carry(branch)
            else:
                assert server.json("server", "upstream", "sync")["digest"] in {"equal", "healed"}


def _leave_one_open(pilot: Events, supervisor: str) -> None:
    """Two people disagree on the last afternoon; the supervisor asks them instead of deciding."""
    names = [one.name for one in pilot.plan.people if one.server == "jbl"][:2]
    pilot.disagree(*names)
    _bring_together(pilot)
    (item,) = pilot.computers[supervisor].json("review", "list")
    pilot.save(supervisor, "review", "return", item["record"], item["field"], "--question", "Who has visited them?")
    pilot.diary.note(supervisor, "returns that conflict to its authors, with a question", "the conflict stays open")


def check_versions(pilot: Pilot) -> None:
    """All have today's program."""
    assert {pilot.version(name) for name in pilot.computers} == {VERSION}


def check_digests(pilot: Pilot) -> None:
    """Every unit has the same digest wherever it is held."""
    digests: dict[str, dict[str, str]] = {}
    for name, computer in pilot.computers.items():
        status = computer.json("status")
        assert status["unsent"] == 0, (name, status)
        for channel in status["channels"]:
            if channel["unit"].startswith(tuple(status["units"])) and channel["records"]:
                digests.setdefault(channel["unit"], {})[name] = channel["digest"]
    for unit, held in digests.items():
        assert len(set(held.values())) == 1, (unit, held)
        pilot.diary.note("all", f"{unit} is held by {len(held)} computers", "digests equal")
    assert set(digests) == {branch.unit for branch in pilot.plan.branches}


def check_conflicts(pilot: Pilot) -> None:
    """One conflict is open, the one that was returned; nobody lists another one."""
    lists = {
        name: {(item["record"], item["field"]) for item in computer.json("review", "list")}
        for name, computer in pilot.computers.items()
    }
    assert len(lists["hq"]) == 1, lists
    for name, found in lists.items():
        assert found <= lists["hq"], (name, found, lists["hq"])
    assert lists["hq"] in [lists[person.name] for person in pilot.plan.people if person.role == "supervisor"], lists
    pilot.diary.note("all", "`review list`", "1 open conflict: the one that was returned")


def check_quarantine(pilot: Pilot) -> None:
    """Nothing is quarantined but what a lost laptop sent after it was revoked."""
    found: set[str] = set()
    for name in pilot.servers:
        for one in pilot.computers[name].json("quarantine", "list"):
            assert (one["state"], one["code"]) == ("refused", "revoked"), one
            assert one["seq"] > pilot.acknowledged[pilot.lost_letters[one["device"]]], one
            found.add(one["save"])
    said = f"{len(found)} refused: sent from a lost laptop after it was revoked" if found else "empty"
    pilot.diary.note("all servers", "`quarantine list`", said)


def check_fleet(pilot: Pilot) -> None:
    """Every device has today's version, except for the lost one; what needs attention is told."""
    fleet = pilot.computers["hq"].json("server", "fleet")
    needs = Counter(WORDS[f"fleet_short.{need['what']}"] for one in fleet for need in one["needs"])
    versions = Counter(one["version"] for one in fleet)
    assert set(versions) == {VERSION}, fleet
    said = ", ".join(f"{what} ({count})" for what, count in sorted(needs.items())) or "nothing needed"
    pilot.diary.note("hq", f"`server fleet`: {len(fleet)} computers, all with {VERSION}", said)


def check_stores(pilot: Pilot) -> None:
    """Every store is sound."""
    for name, computer in pilot.computers.items():
        told = computer.json(*(["server"] if name in pilot.servers else []), "check")
        assert told["ok"], (name, told)
    pilot.diary.note("all", f"`check` on {len(pilot.computers)} computers", "no fault")


def check_commits(pilot: Pilot) -> None:
    """Headquarters has every save that a server acknowledged, byte for byte."""
    hq = open_node(pilot.computers["hq"].home)
    counted = 0
    with hq.store.read() as theirs:
        for name in pilot.people:
            node = open_node(pilot.computers[name].home)
            with node.store.read() as tx:
                own = [(one.seq, one.body) for one in tx.commits_behind(node.device, 0)]
            node.close()
            assert own == [(one.seq, one.body) for one in theirs.commits_behind(node.device, 0)], name
            counted += len(own)
        for device, acknowledged in pilot.acknowledged.items():
            kept = [one.seq for one in theirs.commits_behind(bytes.fromhex(device), 0)]
            assert kept[:acknowledged] == list(range(1, acknowledged + 1)), (device, kept)  # then what was refused
            counted += acknowledged
    hq.close()
    pilot.diary.note("hq", "holds every save that any server had acknowledged", f"{counted} saves, byte for byte")

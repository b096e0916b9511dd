"""Restored and cloned stores: detected at the next contact, they become new devices; nothing is lost or duplicated."""

import random
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.state import canonical_bytes
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.server import administration
from tests import directly
from tests.cast import JBL, copy_node, open_node, rows
from tests.conftest import Cast
from tests.scale import LONG


def family(node: Node, name: str, **fields: object) -> str:
    """Register a family and return its id."""
    return save.add_record(node, "household", Changes(set={"family_name": name, **fields}), unit=JBL).hex()


def image(people: Cast, name: str) -> Path:
    """Take an image of somebody's disk, the laptop switched off."""
    node: Node = getattr(people, name)
    node.close()
    kept = people.home / f"{name} {random.getrandbits(64):x}"
    copy_node(people.home / name, kept)
    setattr(people, name, people.open(name))
    return kept


def equal(hq: Node, *laptops: Node) -> None:
    """Assert that laptops and headquarters hold the same registers, byte for byte, and that every chain holds."""
    theirs = rows(hq)
    for node in laptops:
        assert directly.differing(node, hq) == []
        mine = rows(node)
        assert {r: canonical_bytes(row.state) for r, row in mine.items()} == {
            r: canonical_bytes(theirs[r].state) for r in mine
        }
        assert {r: row.doc for r, row in mine.items()} == {r: theirs[r].doc for r in mine}
        assert integrity.check_integrity(node).faults == []
    assert integrity.check_integrity(hq).faults == []


def test_a_restored_laptop_becomes_a_new_device(people: Cast) -> None:
    """Amal's laptop is restored to last week; her later saves, sent or not, are all present once."""
    hq, amal = people.hq, people.amal
    home = family(amal, "محمد", location="last week")
    directly.sync(amal, hq)
    image_ = image(people, "amal")
    save.edit_record(people.amal, home, Changes(set={"location": "sent"}))
    sent = family(people.amal, "أحمد")
    directly.sync(people.amal, hq)
    people.amal.close()
    back = open_node(image_, people.clock)
    try:
        save.edit_record(back, home, Changes(set={"location": "after the restore"}))
        new = family(back, "حسن")
        old_code, old_device = queries.show(back, new).code, back.device
        tally = directly.sync(back, hq)
        assert (tally.commits, tally.healed) == (2, 0)
        assert back.device != old_device
        equal(hq, back)
        heads = (queries.show(back, home, all_heads=True).registers or {})["location"]
        assert {head.value for head in heads} == {"sent", "after the restore"}
        assert {row.state.record.hex() for row in rows(hq).values()} == {home, sent, new}
        assert queries.show(hq, new).code != old_code
        assert [entry.note for entry in history.history(back, new)] == [f"({old_code})"]
        with hq.store.read() as tx:
            old, fresh = tx.device(old_device), tx.device(back.device)
            assert old is not None
            assert fresh is not None
            assert (old.state, fresh.state, fresh.person) == ("forked", "enrolled", old.person)
        assert directly.sync(back, hq).commits == 0
        answer = image_ / "answer.age"
        bundle_sync.pack_reply(hq, answer, fresh)  # by stick, too, it is a device like any other
        assert bundle_sync.unpack_bundle(back, answer).digest == "equal"
    finally:
        back.close()


def test_two_clones_keep_all_their_work(people: Cast) -> None:
    """One disk image in two laptops that save and sync alternately: every save of both is present once."""
    hq = people.hq
    home = family(people.amal, "محمد", location="before")
    clone = open_node(image(people, "amal"), people.clock)
    try:
        made = {home}
        for turn in range(3):
            for who, node in (("first", people.amal), ("second", clone)):
                made.add(family(node, "محمد"))
                save.edit_record(node, home, Changes(set={"location": f"{who} {turn}"}))
                directly.sync(node, hq)
        for _ in range(2):
            directly.approve(people.amal, clone, hq=hq)
            for node in (people.amal, clone, people.amal):
                directly.sync(node, hq)
        assert people.amal.device != clone.device
        equal(hq, people.amal, clone)
        assert {record.hex() for record in rows(hq)} == made
        codes = [row.code for row in rows(hq).values()]
        assert len(set(codes)) == len(codes)
        locations = (queries.show(hq, home, all_heads=True).registers or {})["location"]
        assert {head.value for head in locations} <= {
            f"{who} {turn}" for who in ("first", "second") for turn in range(3)
        }
    finally:
        clone.close()


def test_an_open_store_writes_nothing_as_the_old_device(people: Cast) -> None:
    """A review stays open while a sync in another process renews the device: its next save has to be repeated."""
    home = family(people.amal, "محمد")
    clone = open_node(image(people, "amal"), people.clock)
    directly.sync(people.amal, people.hq)
    save.edit_record(people.amal, home, Changes(set={"location": "sent"}))
    directly.sync(people.amal, people.hq)
    beside = open_node(clone.home, people.clock)
    try:
        directly.sync(clone, people.hq)
        with pytest.raises(errors.Forked):
            save.edit_record(beside, home, Changes(set={"location": "beside"}))
        save.edit_record(beside, home, Changes(set={"location": "beside"}))
        directly.sync(clone, people.hq)
        assert queries.show(people.hq, home).fields["location"] == "beside"
        equal(people.hq, clone)
    finally:
        beside.close()
        clone.close()


def test_pending_commits_on_three_copies_appear_once(people: Cast) -> None:
    """Two pending commits are on three copies, and a fourth, older one forks before them: each appears once."""
    home = family(people.amal, "محمد")
    directly.sync(people.amal, people.hq)
    older = open_node(image(people, "amal"), people.clock)
    save.edit_record(people.amal, home, Changes(set={"location": "unsent"}))
    case = save.add_record(people.amal, "case", Changes(count={"reopen_count": 3}, say={"notes": "unsent"})).hex()
    copied = [open_node(image(people, "amal"), people.clock) for _ in range(3)]
    for n, node in enumerate(copied):
        if n:  # more work on two of them, before they are ever synced
            save.edit_record(node, case, Changes(count={"reopen_count": 1}, say={"notes": f"more {n}"}))
    save.edit_record(older, home, Changes(set={"address": "older"}))
    nodes = [older, *copied]
    try:
        for _ in range(2):
            for node in nodes:
                directly.sync(node, people.hq)
            directly.approve(*nodes, hq=people.hq)
        for node in (*nodes, *nodes):
            directly.sync(node, people.hq)
        cases = [row.doc for row in rows(people.hq).values() if row.state.type == "case"]
        assert [one["reopen_count"] for one in cases] == [5]
        assert sorted(entry["text"] for entry in cases[0]["notes"]) == ["more 1", "more 2", "unsent"]
        assert queries.show(people.hq, home).fields["address"] == "older"
        equal(people.hq, *nodes)
        assert len({node.device for node in nodes}) == 4
        states = {one.id: one.state for one in administration.list_devices(people.hq)}
        assert [states[node.device.hex()] for node in copied] == ["enrolled"] * 3
    finally:
        for node in nodes:
            node.close()


class Computer:
    """A store in use, and the work in it that no server has: id → how much was counted."""

    def __init__(self, node: Node, unsent: dict[str, int]) -> None:
        self.node = node
        self.unsent = unsent


class Story:
    """Samar's laptop is imaged, put back and cloned while she works and syncs, and Amal works too."""

    def __init__(self, people: Cast, seed: int) -> None:
        self.people = people
        self.chance = random.Random(seed)
        self.safe: dict[str, int] = {}  # what must be there at the end
        self.done = 0
        self.computers = [Computer(people.samar, {}), Computer(people.amal, {})]
        self.images: list[tuple[Path, dict[str, int]]] = []
        self.copies: list[Node] = []
        self.family = family(people.amal, "محمد")
        self.case = save.add_record(people.amal, "case", Changes()).hex()
        for one in self.computers[::-1]:
            self.sync(one)

    def sync(self, one: Computer) -> None:
        """Sync a computer: its work is safe now."""
        assert directly.sync(one.node, self.people.hq).differing == []
        self.safe |= one.unsent
        one.unsent.clear()

    def work(self, one: Computer) -> None:
        """Save something."""
        node, chance = one.node, self.chance
        self.done += 1
        name, value = f"work {self.done}", chance.randrange(1, 9)
        self.people.clock.tick(chance.randrange(1_000))
        match chance.randrange(7):
            case 0 | 1:
                save.edit_record(node, self.case, Changes(count={"reopen_count": value}, say={"notes": name}))
                one.unsent[name] = value
            case 2:
                save.edit_record(node, self.family, Changes(set={"location": name}))
            case 3:
                group = chance.choice(["orphan", "older"])
                save.edit_record(node, self.family, Changes(**{chance.choice(["put", "drop"]): {"groups": [group]}}))
            case 4:
                made = save.add_record(
                    node, "household", Changes(set={"family_name": "محمد", "location": name}), unit=JBL
                )
                if chance.random() < 0.5:
                    save.remove_record(node, made.hex(), "twice")
            case 5:
                made = save.add_record(
                    node, "case", Changes(count={"reopen_count": value}, say={"notes": name}), unit=JBL
                )
                save.edit_record(node, made.hex(), Changes(count={"reopen_count": 1}))
                one.unsent[name] = value + 1
            case 6 if node.role == "supervisor":
                try:
                    for item in decisions.list_conflicts(node)[:1]:
                        decisions.decide_conflict(node, item.record, item.field, value=name)
                        if chance.random() < 0.5:
                            decisions.undo_decision(node, item.record, item.field)
                except errors.BadInput:
                    pass  # no text

    def image(self) -> None:
        """Take an image of Samar's first laptop."""
        one = self.computers[0]
        home = one.node.home
        one.node.close()
        kept = self.people.home / f"image {len(self.images)}"
        copy_node(home, kept)
        one.node = self.open(home)
        self.images.append((kept, dict(one.unsent)))

    def open(self, home: Path) -> Node:
        """Open a store on the story's clock."""
        node = open_node(home, self.people.clock)
        self.copies.append(node)
        return node

    def put_back(self, *, beside: bool) -> None:
        """Put an image on Samar's first laptop, or on another computer."""
        kept, unsent = self.chance.choice(self.images)
        home = self.people.home / f"copy {len(self.copies)}"
        copy_node(kept, home)
        node = self.open(home)
        if beside:
            self.computers.append(Computer(node, dict(unsent)))
        else:
            self.computers[0].node.close()
            self.computers[0] = Computer(node, dict(unsent))

    def play(self, steps: int) -> None:
        """Let things happen."""
        for _ in range(steps):
            one = self.chance.choice(self.computers)
            what = self.chance.random()
            if what < 0.6:
                self.work(one)
            elif what < 0.8:
                self.sync(one)
            elif what < 0.9 or not self.images:
                self.image()
            else:
                self.put_back(beside=self.chance.random() < 0.5 and len(self.computers) < 4)
        for _ in range(2):
            for one in self.computers:
                self.sync(one)
            directly.approve(*(one.node for one in self.computers), hq=self.people.hq)
        for _ in range(2):
            for one in self.computers:
                self.sync(one)

    def close(self) -> None:
        """Close all that was opened."""
        for node in self.copies:
            node.close()


@pytest.mark.parametrize("seed", range(40 if LONG else 6))
def test_random_copies_and_restores_lose_and_duplicate_nothing(people: Cast, seed: int) -> None:
    """Images, clones, work and syncs in any order: work on a surviving disk is present exactly once, all nodes are equal."""
    story = Story(people, seed)
    try:
        story.play(80 if LONG else 45)
        equal(people.hq, *(one.node for one in story.computers))
        docs = [row.doc for row in rows(people.hq).values() if row.state.type == "case"]
        notes = [entry["text"] for doc in docs for entry in doc.get("notes", [])]
        assert sorted(notes) == sorted(story.safe)
        assert sum(doc.get("reopen_count", 0) for doc in docs) == sum(story.safe.values())
        codes = [row.code for row in rows(people.hq).values()]
        assert len(set(codes)) == len(codes)
    finally:
        story.close()

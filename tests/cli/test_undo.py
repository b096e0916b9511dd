"""`undo` after every changing command, before and after a sync."""

import re
import shlex
import shutil
from typing import Any

import pytest

from fieldsync.cli import COMMANDS
from fieldsync.core import record_ids
from fieldsync.replica.node import Node
from tests.cast import open_node
from tests.cli.conftest import World
from tests.cli.test_pseudo import PLAYED, office, runnable
from tests.conftest import Clock
from tests.directly import sync

__all__ = ["office"]

# what changes no record of this laptop: reads, writes files, speaks with servers, is a server's
NO_ACT = {
    "", "status", "join", "show", "list", "find", "history", "undo", "sync", "pack", "unpack", "check", "backup", "restore",
    "passphrase", "quarantine", "quarantine list", "quarantine release", "quarantine drop", "refused", "refused list",
    "refused clear", "doctor", "doctor rtl", "review", "review list", "review show", "overlaps", "overlaps list", "referral",
    "referral list", "consent list", "review approvals", "agenda", "caseload", "eligible", "duplicates", "duplicates list", "duplicates scan",
    "duplicates show", "export", "report", "schema list", "schema show", "schema check", "schema import", "schema publish",
    "demo", "completion", "lock", "unlock",
    "duplicates bulk",  # it merges where people have merged five such pairs: what it writes, `duplicates merge` writes
}  # fmt: skip
ACTS = {path for path in map(" ".join, runnable(COMMANDS)) if path not in NO_ACT and not path.startswith("server ")}

LEAVES = {"referral decline", "move"}
"""What has the record leave the laptop when it is synced: it is somebody else's to change then."""


def snapshot(node: Node) -> dict[str, dict[str, Any]]:
    """Return what a node's records say, but for logs, which nothing is taken out of; what was removed says only that."""
    found = {}
    with node.store.read() as tx:
        for row in tx.select_rows():
            kind = node.schema.types[row.state.type]
            logs = {field.name for field in kind.fields.values() if field.kind == "log"}
            zero = {(field.name, 0) for field in kind.fields.values() if field.kind == "tally"}  # counted to nothing
            doc = {
                name: value
                for name, value in row.doc.items()
                if name not in logs and not (type(value) is int and (name, value) in zero)
            }
            found[record_ids.id_text(row.state.record)] = (
                {"gone": True} if "_deleted" in doc else doc | {"?": sorted(row.conflicts)}
            )
    return found


class Trial:
    """A copy of somebody's laptop and of headquarters, to do something on and take it back."""

    def __init__(self, world: World, who: str) -> None:
        self.world = world
        for name, of in (("trial", who), ("trial-hq", "hq")):
            shutil.rmtree(world.folder / name, ignore_errors=True)
            shutil.copytree(world.folder / of, world.folder / name)

    def look(self, name: str = "trial") -> dict[str, dict[str, Any]]:
        """What a store shows."""
        node = open_node(self.world.folder / name)
        try:
            return snapshot(node)
        finally:
            node.close()

    def sync(self) -> None:
        """Sync the two, without a line between them."""
        clock = Clock()
        nodes = [open_node(self.world.folder / name, clock) for name in ("trial", "trial-hq")]
        clock.now = max(clock.now, *(int(node.clock()) for node in nodes))
        with nodes[1].store.read() as tx:
            before = len(tx.refusals(nodes[0].device))
        sync(*nodes)
        with nodes[1].store.read() as tx:
            assert len(tx.refusals(nodes[0].device)) == before, list(tx.refusals(nodes[0].device))
        for node in nodes:
            node.close()


def lines(made: dict[str, str]) -> list[tuple[str, str, list[str], str]]:
    """Who calls which command with which words, and what is typed."""
    found = []
    for line in PLAYED.strip().splitlines():
        who, _, told = line.partition(":")
        command, _, typed = told.partition("<<")
        words = [
            re.sub(r"\{(\w+)\}", lambda one: made.get(one[1], "?"), word)
            for word in shlex.split(command, comments=True)
        ]
        path = max((one for one in ACTS if words[: len(one.split())] == one.split()), key=len, default="")
        if path and who in ("amal", "samar", "basim", "huda"):
            found.append((who, path, words, typed.strip().replace("|", "\n")))
    return found


def differ(one: dict[str, Any], other: dict[str, Any], alike: tuple[str, ...] | None) -> bool:
    """Say whether two stores show a record otherwise, in these fields or in any."""
    return one != other if alike is None else any(one.get(name) != other.get(name) for name in alike)


@pytest.mark.parametrize("synced", [False, True])
def test_every_action_can_be_undone(office: tuple[World, dict[str, str]], *, synced: bool) -> None:
    """Records are as before, new ones removed; headquarters accepts both saves, and history has both."""
    world, made = office
    done = set[str]()
    for who, path, words, typed in lines(made):
        if who == "samar" and path in ("case approve", "case return", "review approve"):
            for one in ("amal", "samar"):  # she approves what Amal asks
                world.json(one, "sync")
        if path not in done:
            trial = Trial(world, who)
            if synced:
                trial.sync()
            before = trial.look()
            said = world.here("trial", *words, typed=typed)
            after = trial.look()
            if after != before:
                done.add(path)
                if synced:
                    trial.sync()
                told = world.here("trial", "undo", "--json")
                if synced and path in LEAVES:
                    assert told.json["error"]["facts"]["why"] == ["elsewhere"]
                    world.here(who, *words, typed=typed)
                    continue
                assert told.code == 0, (words, told, said)
                assert told.json["left"] == [], (words, told)
                now = trial.look()
                assert {one: doc for one, doc in now.items() if doc != before.get(one, {"gone": True})} == {}, words
                assert {one for one in before if one not in now} == set(), words
                if synced:
                    trial.sync()
                    there = trial.look("trial-hq")
                    alike = ("state", "gone") if who == "huda" else None  # a partner sees a part of the records
                    assert {one for one in now if differ(now[one], there[one], alike)} == set(), words
        world.here(who, *words, typed=typed)
    assert ACTS - done == set()


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["1 created (Household)", "3 created (Person)", "1 changed (Household)"]),
        ("ar", ["إنشاء سجل (أسرة)", "إنشاء 3 سجلات (فرد)", "تعديل سجل (أسرة)"]),
    ],
)
def test_undoable_actions_are_listed_in_words(world: World, lang: str, said: list[str]) -> None:
    """With the noun's form for the number, and the name beside every code."""
    family = world.add("amal", "household", family_name="الحسن", location="جبلة")["code"]
    names = ["علي", "هدى", "سمر"]
    rows = [word for name in names for word in ("--row", f"given={name}")]
    world.json("amal", "add", "person", "--set", f"household={family}", *rows)
    world.json("amal", "edit", family, "--set", "address=قرب الساعة")
    lines = world.here("amal", "undo", "--list", "--lang", lang).out.splitlines()
    assert [one for one in said if sum(one in line for line in lines) != 1] == []
    assert f"{family} الحسن جبلة" in lines[0]
    assert all(re.search(rf"JBL-B-\d+-\w\w {name}", lines[1]) for name in names)


def test_a_removal_is_listed_as_one(world: World) -> None:
    """And is counted in the document beside other changes."""
    code = world.add("amal", "household", family_name="الحسن")["code"]
    world.json("amal", "remove", code, "--reason", "مكرر")
    assert "حذف سجل (أسرة)" in world.here("amal", "undo", "--list", "--lang", "ar").out.splitlines()[0]
    newest, made = world.json("amal", "undo", "--list")[:2]
    assert (newest["changed"], newest["removed"]) == ({"household": 1}, {"household": 1})
    assert "removed" not in made
    assert "1 removed (Household)" in world.here("amal", "undo", "--lang", "en").out


def test_parts_not_undone_are_named(world: World) -> None:
    """Later changes by others stay, named by record and field label."""
    world.start()
    family = world.add("amal", "household", family_name="الحسن", location="جبلة")["code"]
    for who in ("amal", "basim"):
        world.json(who, "sync")
    world.json("amal", "edit", family, "--set", "address=قرب الساعة", "--set", "location=حمص")
    for who in ("amal", "basim"):
        world.json(who, "sync")
    world.json("basim", "edit", family, "--set", "address=قرب الجسر")
    for who in ("basim", "amal"):
        world.json(who, "sync")
    said = world.here("amal", "undo", "--lang", "ar").out
    assert f"⚠ {family} الحسن جبلة (العنوان أو علامة مميزة): كتب آخرون بعد ذلك؛ بقي كما هو" in said

"""Blocked digest checks: every sync ends with a check; a reason that prevents it is shown until it is gone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core.grants import Grant
from fieldsync.core.state import canonical_bytes
from fieldsync.protocol import byte_budget, sync_once
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import commit_writer, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node_setup import write_schema
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.topology import blocked_checks, upstream
from fieldsync.topology.blocked_checks import BlockedCheck
from fieldsync.ui.views import status_facts
from tests import directly
from tests.cast import join_directly, open_node, rows
from tests.formbook import Book
from tests.protocol.test_range_repair import spoil
from tests.tree import Tree

DAY = 24 * 60 * 60 * 1000


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree whose headquarters has heard of all laptops."""
    made = Tree()
    made.settle()
    yield made
    made.close()


def families(tree: Tree, name: str, count: int) -> list[bytes]:
    """Have somebody register families."""
    changes = [Changes(set={"location": f"{name} {i}"}) for i in range(count)]
    return [save.add_record(tree.nodes[name], "household", one) for one in changes]


def blocked(tree: Tree, name: str, lang: str = "en") -> list[BlockedCheck]:
    """Return what `status` says of it."""
    return status_facts.status(tree.nodes[name], lang).blocked


def behind(tree: Tree, name: str) -> bool:
    """Say whether the headquarters has not acknowledged all of a branch's commits."""
    with tree.nodes[name].store.read() as tx:
        return upstream.lacks_commits(tx, tree.nodes["hq"].device)


def night(tree: Tree) -> int:
    """Have Jableh sync with headquarters, and return how many commits it sent."""
    tree.clock.tick(DAY)
    tally = directly.sync(tree.nodes["jbl"], tree.nodes["hq"])
    assert tally.healed == 0
    return tally.commits


def test_a_laptop_that_skips_its_branch_does_not_block_the_check(tree: Tree) -> None:
    """Headquarters holds Amal's commits up to 42, Jableh only 40: one nightly sync acknowledges these, the next sends none."""
    families(tree, "amal", 40)
    tree.sync("amal", "jbl")
    families(tree, "amal", 2)
    tree.sync("amal", "hq")
    assert night(tree) == 40
    assert not behind(tree, "jbl")
    assert blocked(tree, "jbl") == []
    assert night(tree) == 0
    families(tree, "amal", 1)
    tree.sync("amal", "jbl")
    assert night(tree) == 3
    assert directly.differing(tree.nodes["jbl"], tree.nodes["hq"]) == []


@pytest.mark.parametrize("meanwhile", [False, True], ids=["before", "meanwhile"])
def test_a_laptop_that_overtakes_its_branch_s_bundle_does_not_block_the_check(
    tree: Tree, tmp_path: Path, meanwhile: bool
) -> None:
    """The branch is offline; Amal may sync with headquarters before or after its bundle is unpacked."""
    hq, jbl = tree.nodes["hq"], tree.nodes["jbl"]
    families(tree, "amal", 5)
    tree.sync("amal", "jbl")
    families(tree, "amal", 2)
    bundle_sync.pack_bundle(jbl, tmp_path / "up")
    if not meanwhile:
        tree.sync("amal", "hq")
    bundle_sync.unpack_bundle(hq, tmp_path / "up")
    if meanwhile:
        tree.sync("amal", "hq")
    with hq.store.read() as tx:
        device = tx.device(jbl.device)
    assert device is not None
    bundle_sync.pack_reply(hq, tmp_path / "down", device)
    assert bundle_sync.unpack_bundle(jbl, tmp_path / "down").digest == "equal"
    assert not behind(tree, "jbl")
    assert blocked(tree, "jbl") == []


def test_a_clone_s_commits_are_not_acknowledged_by_number_alone(tree: Tree) -> None:
    """Headquarters has other commits under Amal's numbers than Jableh: their number acknowledges nothing here."""
    clone = tree.home / "clone"
    tree.nodes["amal"].close()
    shutil.copytree(tree.home / "amal", clone)
    tree.nodes["amal"] = open_node(tree.home / "amal", tree.clock)
    other = open_node(clone, tree.clock)
    families(tree, "amal", 3)
    for _ in range(5):
        save.add_record(other, "household", Changes(set={"location": "clone"}))
    tree.sync("amal", "jbl")
    directly.sync(other, tree.nodes["hq"])
    other.close()
    for _ in range(3):
        tree.clock.tick(DAY)
        for branch in ("jbl", "hq"):
            tree.sync("amal", branch)
        tree.sync("jbl", "hq")
    assert len(rows(tree.nodes["hq"])) == 8
    assert not behind(tree, "jbl")
    assert directly.differing(tree.nodes["jbl"], tree.nodes["hq"]) == []


def test_refused_commits_block_the_check_for_one_night_only(tree: Tree) -> None:
    """Jableh enrolled Zaid for a foreign unit: it learns which device that is, and from the second night the rest is checked."""
    jbl, hq = tree.nodes["jbl"], tree.nodes["hq"]
    join_directly(jbl, tree.home / "zaid", "Zaid", "caseworker", ["LAT/JBL"])
    zaid = tree.nodes["zaid"] = open_node(tree.home / "zaid", tree.clock)
    with jbl.store.write() as tx:
        tx.set_grants(zaid.device, [Grant("LAT/JBL", "caseworker"), Grant("LAT/QRD", "caseworker")], tree.clock())
    families(tree, "amal", 3)
    tree.sync("amal", "jbl")
    mine = save.add_record(zaid, "household", Changes(set={"location": "زيد"}), unit="LAT/JBL")
    directly.sync(zaid, jbl)
    night(tree)
    (told,) = blocked(tree, "jbl")
    assert (told.what, told.devices, told.server) == (blocked_checks.COMMITS, [zaid.letters], "Office")
    assert zaid.letters in told.hint
    assert zaid.letters in blocked(tree, "jbl", "ar")[0].hint != told.hint
    night(tree)
    record = sorted(rows(hq))[0]
    spoil(jbl, record)
    tree.clock.tick(DAY)
    tally = directly.sync(jbl, hq)
    assert tally.healed == 1
    assert tally.differing == ["LAT/JBL"]
    assert canonical_bytes(rows(jbl)[record].state) == canonical_bytes(rows(hq)[record].state)
    assert mine in rows(jbl)  # what only this branch holds is left alone
    again = blocked(tree, "jbl")
    assert again[0].since == told.since
    assert "blocked" in status_facts.status(jbl, "en").health


def test_different_forms_are_reported_after_a_day(tree: Tree, tmp_path: Path) -> None:
    """Amal has headquarters' new forms and her branch does not: no check; she sees the reason after a day, until the branch has them."""
    amal, jbl, hq = (tree.nodes[name] for name in ("amal", "jbl", "hq"))
    tree.sync("amal", "hq")
    publish_schema(hq, Book().write(tmp_path / "forms"))
    with hq.store.write() as tx:  # as 0.1 published them: nobody takes unsigned forms from below
        texts = tx.settings.schema_texts
        number = texts[load.PUBLISHED].splitlines()[0]
        write_schema(tx, {**texts, load.PUBLISHED: f"{number}\n"})
    directly.sync(amal, hq)
    for day in range(2):
        directly.sync(amal, jbl)
        told = [(one.what, one.server) for one in blocked(tree, "amal")]
        assert told == ([(blocked_checks.FORMS, "LAT/JBL")] if day else [])
        tree.clock.tick(DAY)
    directly.sync(jbl, hq)
    directly.sync(amal, jbl)
    assert blocked(tree, "amal") == []


def test_signed_forms_from_a_laptop_unblock_the_check(tree: Tree, tmp_path: Path) -> None:
    """Amal has headquarters' new forms and her branch does not: the branch adopts them from her, by their signature."""
    amal, jbl, hq = (tree.nodes[name] for name in ("amal", "jbl", "hq"))
    tree.sync("amal", "hq")
    publish_schema(hq, Book().write(tmp_path / "forms"))
    directly.sync(amal, hq)
    for _ in range(2):
        directly.sync(amal, jbl)
        tree.clock.tick(DAY)
    assert jbl.forms == hq.forms
    assert blocked(tree, "amal") == []


def test_an_offline_branch_is_reported_but_not_an_offline_laptop(tree: Tree) -> None:
    """Headquarters is unreachable: a branch's operator sees since when; for a laptop in the field that is normal."""
    for name in ("jbl", "amal"):
        for _ in range(2):
            with pytest.raises(errors.NoContact):
                sync_once.sync_once(tree.nodes[name])
            tree.clock.tick(DAY)
    assert [one.what for one in blocked(tree, "jbl")] == ["unreachable"]
    assert blocked(tree, "amal") == []
    directly.sync(tree.nodes["jbl"], tree.nodes["hq"])
    assert blocked(tree, "jbl") == []


def test_a_byte_budget_that_is_always_too_small_is_reported(tree: Tree) -> None:
    """A branch syncs only within a byte budget: all data gets through, but nothing is checked until a complete sync."""
    jbl, hq = tree.nodes["jbl"], tree.nodes["hq"]
    families(tree, "samar", 400)
    with tree.nodes["samar"].store.write() as tx:
        for row in list(tx.select_rows()):
            commit_writer.commit_drafts(
                tree.nodes["samar"], tx,
                [save.draft_edit(tree.nodes["samar"], row, tree.nodes["samar"].schema.type("household"), {"_unit": "LAT/JBL"})],
            )  # fmt: skip
    for name, server in (("samar", "qrd"), ("qrd", "hq")):
        tree.sync(name, server)
    directly.sync(jbl, hq, budget=byte_budget.LEAST)
    assert [one.what for one in blocked(tree, "jbl")] == [blocked_checks.BUDGET]
    directly.sync(jbl, hq)
    assert blocked(tree, "jbl") == []
    assert directly.differing(jbl, hq) == []


def test_a_departure_before_the_branch_held_the_record_reaches_the_laptop(tree: Tree) -> None:
    """Amal got a family from headquarters that Jableh never held; it moves, and her next sync with Jableh removes it."""
    amal, jbl, hq = (tree.nodes[name] for name in ("amal", "jbl", "hq"))
    (stays,) = families(tree, "amal", 1)
    tree.sync("amal", "jbl")
    tree.sync("jbl", "hq")
    moves = save.add_record(tree.nodes["dima"], "household", Changes(set={"location": "ديما"}), unit="LAT/JBL")
    tree.sync("dima", "hq")
    tree.sync("amal", "hq")
    assert rows(amal).keys() == {stays, moves}
    with tree.nodes["dima"].store.write() as tx:
        row, kind = tx.rows([moves])[moves], tree.nodes["dima"].schema.type("household")
        commit_writer.commit_drafts(
            tree.nodes["dima"], tx, [save.draft_edit(tree.nodes["dima"], row, kind, {"_unit": "LAT/QRD"})]
        )
    tree.sync("dima", "hq")
    tree.sync("jbl", "hq")
    assert moves not in rows(jbl)
    tree.sync("amal", "jbl")
    assert rows(amal).keys() == {stays}
    assert directly.differing(amal, jbl) == []
    assert tree.sync("amal", "jbl") == 0
    assert directly.differing(jbl, hq) == []

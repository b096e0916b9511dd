"""Serial numbers are unbroken per office and year: each given once, by the lowest server that covers the unit."""

import re
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.topology import backups
from tests.cast import open_node, rows, unlock
from tests.scale import SCALE
from tests.tree import ABOVE, HOME, SERVERS, Tree, check

OFFICE = {"amal": "LAT-JBL", "basim": "LAT-JBL", "samar": "LAT-QRD", "dima": "LAT-JBL", "rima": "LAT-JBL-OLD"}


def statement(tree: Tree, name: str, home: bytes, day: str = "2026-03-01") -> bytes:
    """Draft a statement about a family."""
    fields = {
        "about": home.hex(), "requested_by": "جمعية", "issued_by": "المكتب", "purpose": "income", "body": "نص", "issued_on": day,
    }  # fmt: skip
    record = save.add_record(tree.nodes[name], "statement", Changes(set=fields))
    save.edit_record(tree.nodes[name], record.hex(), Changes(set={"state": "drafted"}))
    return record


def issue(tree: Tree, name: str, record: bytes) -> None:
    """Issue it."""
    save.edit_record(tree.nodes[name], record.hex(), Changes(set={"state": "issued"}))


def serials(tree: Tree, server: str = "hq") -> dict[bytes, str | None]:
    """Return the serials of the statements that are issued."""
    held = rows(tree.nodes[server]).items()
    return {
        r: row.doc.get("serial") for r, row in held if row.state.type == "statement" and row.doc["state"] == "issued"
    }


def test_a_branch_numbers_its_own_records() -> None:
    """Amal's record goes to her branch or to headquarters first: the branch gives the number; nobody types one."""
    tree = Tree()
    try:
        homes = {
            name: save.add_record(tree.nodes[name], "household", Changes(set={"location": "x"}))
            for name in ("amal", "rima")
        }
        tree.settle()
        first, second = (statement(tree, "amal", homes["amal"]) for _ in range(2))
        old = statement(tree, "rima", homes["rima"])
        last = statement(tree, "amal", homes["amal"], "2025-12-30")
        issue(tree, "amal", first)
        with pytest.raises(errors.IllegalValue):
            save.edit_record(tree.nodes["amal"], first.hex(), Changes(set={"serial": "17"}))
        tree.sync("amal", "jbl")
        assert serials(tree, "jbl") == {first: "LAT-JBL-2026-1"}
        tree.sync("amal", "jbl")
        assert rows(tree.nodes["amal"])[first].doc["serial"] == "LAT-JBL-2026-1"
        issue(tree, "amal", second)
        issue(tree, "amal", last)
        issue(tree, "rima", old)
        tree.sync("amal", "hq")
        assert serials(tree)[second] is None  # the branch's to give
        assert not any(tree.settle())
        check(tree)
        assert serials(tree) == {
            first: "LAT-JBL-2026-1", second: "LAT-JBL-2026-2", last: "LAT-JBL-2025-1", old: "LAT-JBL-OLD-2026-1",
        }  # fmt: skip
    finally:
        tree.close()


@pytest.mark.parametrize(("day", "since"), [("2026-03-01", 1), ("2025-05-01", 1), ("2026-03-01", 60)])
def test_a_restored_server_gives_no_number_twice(day: str, since: int) -> None:
    """The restored branch begins a series of its own, so that no other statement has the same number."""
    tree = Tree()
    try:
        home = save.add_record(tree.nodes["amal"], "household", Changes(set={"location": "x"}))
        issue(tree, "amal", statement(tree, "amal", home))
        tree.settle()
        backups.write_backup(tree.nodes["jbl"], tree.home / "jbl.backup")
        papers = [statement(tree, "amal", home, day) for _ in range(since)]
        for one in papers:
            issue(tree, "amal", one)
        tree.sync("amal", "jbl")
        printed = {one: rows(tree.nodes["jbl"])[one].doc["serial"] for one in papers}
        restored = []
        for again in ("again", "once more"):  # from the same backup twice
            tree.nodes["jbl"].close()
            backups.restore_backup(tree.home / "jbl.backup", tree.home / again, unlock)
            tree.nodes["jbl"] = open_node(tree.home / again, tree.clock)
            after = statement(tree, "basim", home, day)
            issue(tree, "basim", after)
            tree.sync("basim", "jbl")
            restored.append(rows(tree.nodes["jbl"])[after].doc["serial"])
        assert len({*printed.values(), *restored}) == since + 2
        assert all(re.fullmatch(rf"LAT-JBL-{day[:4]}-[A-Z]{{3}}-[12]", serial) for serial in restored)
    finally:
        tree.close()


_who = st.sampled_from(("amal", "basim", "samar", "rima"))
_step = st.one_of(
    st.tuples(st.just("issue"), _who, st.sampled_from(["2026-03-01", "2025-12-31"])),
    st.tuples(
        st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none() | st.integers(0, 6)
    ),
)


@settings(max_examples=4 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, max_size=25))
def test_serial_numbers_have_no_gaps_or_duplicates(steps: list[Any]) -> None:
    """In any order, with interruptions and any server: from 1 on, each number once per office and year."""
    tree = Tree()
    try:
        homes = {
            name: save.add_record(tree.nodes[name], "household", Changes(set={"location": "x"}))
            for name in HOME
            if name != "dima"
        }
        tree.settle()
        for what, name, *more in steps:
            tree.clock.tick(1000)
            if what == "issue":
                issue(tree, name, statement(tree, name, homes[name], *more))
            elif name != more[0]:
                tree.sync(name, *more)
        assert not any(tree.settle())
        assert not any(tree.settle())
        check(tree)
        numbers = defaultdict(list)
        for serial in serials(tree).values():
            assert serial is not None
            found = re.fullmatch(r"(LAT(?:-[A-Z]+)+-202[56])-([0-9]+)", serial)
            assert found is not None
            numbers[found[1]].append(int(found[2]))
        for given_ in numbers.values():
            assert sorted(given_) == list(range(1, len(given_) + 1))
    finally:
        tree.close()

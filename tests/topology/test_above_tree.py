"""Records for units above, with branches between: they pass a branch on their way up and do not stay there."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fieldsync.core import record_ids
from fieldsync.core.units import ABOVE as FOR_ABOVE
from fieldsync.replica import save, transfer
from fieldsync.replica.changes import Changes
from tests.cast import rows
from tests.scale import SCALE
from tests.topology.test_above import institution, report
from tests.tree import ABOVE, BRANCHES, HOME, SERVERS, Tree, check

UNITS = ("LAT/JBL", "LAT/JBL/OLD", "LAT/QRD")
_step = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(tuple(HOME)), st.integers(0, 3)),
    st.tuples(st.just("add to"), st.sampled_from(tuple(HOME)), st.integers(0, 3), st.integers(1, 9)),
    st.tuples(st.just("move"), st.just("dima"), st.integers(0, 2), st.sampled_from(UNITS)),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none() | st.integers(0, 6)),
    st.tuples(st.just("sync"), st.sampled_from((*HOME, *ABOVE)), st.sampled_from(SERVERS), st.none()),
)  # fmt: skip


def play(tree: Tree, steps: Sequence[Any], homes: list[bytes], reports: list[bytes]) -> None:
    """Do what the steps say."""
    for what, name, *more in steps:
        tree.clock.tick(1000)
        node = tree.nodes[name]
        held = rows(node)
        if what == "report":
            known = [one for one in homes if one in held]
            reports.append(report(node, known[more[0] % len(known)] if known and more[0] < 3 else "دار"))
        elif what == "add to" and reports:
            one = reports[more[0] % len(reports)]
            if one in held:
                save.edit_record(node, record_ids.id_text(one), Changes(set={"seen_on": f"2026-10-0{more[1]}"}))
        elif what == "move":
            transfer.transfer_record(node, record_ids.id_text(homes[more[0]]), more[1])
        elif what == "sync" and name != more[0] and ABOVE.get(name, more[0]) == more[0]:  # a branch has one server
            tree.sync(name, more[0])


def test_a_report_about_a_moved_home_is_released_below() -> None:
    """The home had moved when Amal reported: her laptop and her branch release the report."""
    tree = Tree()
    try:
        homes = [institution(tree.nodes["dima"], unit) for unit in UNITS]
        tree.settle()
        play(tree, [("report", "amal", 1), ("move", "dima", 1, "LAT/QRD"), ("sync", "dima", "hq", None)], homes, [])
        assert not any(tree.settle())
        check(tree)
        for name in ("amal", "jbl", "qrd", "samar"):
            assert not [one for one in rows(tree.nodes[name]).values() if one.state.type == "violation_report"]
    finally:
        tree.close()


def test_the_author_may_edit_a_report_until_it_is_sent() -> None:
    """Samar names no known home: the report is for the topmost unit, and editable by her until she syncs."""
    tree = Tree()
    try:
        reports: list[bytes] = []
        play(tree, [("report", "samar", 3), ("add to", "samar", 0, 4), ("sync", "samar", "qrd", None)], [], reports)
        play(tree, [("sync", "qrd", "hq", None), ("sync", "dima", "hq", None)], [], reports)
        assert rows(tree.nodes["dima"])[reports[0]].doc["seen_on"] == "2026-10-04"
        assert reports[0] not in rows(tree.nodes["samar"])
    finally:
        tree.close()


@settings(max_examples=3 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_step, max_size=30))
def test_a_report_passes_a_branch_and_stays_above(steps: list[Any]) -> None:
    """All nodes agree, no report is lost, and nobody with a role in the home's unit has one."""
    tree = Tree()
    try:
        homes, reports = [institution(tree.nodes["dima"], unit) for unit in UNITS], list[bytes]()
        tree.settle()
        play(tree, steps, homes, reports)
        tree.settle()
        assert not any(tree.settle())
        check(tree)
        held = rows(tree.nodes["hq"])
        assert held.keys() >= set(reports)
        assert rows(tree.nodes["dima"]).keys() >= set(reports)
        with tree.nodes["hq"].store.read() as tx:
            units = {one: tx.channel(held[one].channel or 0).unit for one in reports}
        assert all(unit.endswith(FOR_ABOVE) for unit in units.values())
        for name in (*HOME, *BRANCHES):
            node = tree.nodes[name]
            with node.store.read() as tx:
                grants = node.grants if node.is_laptop else tx.settings.upstream_grants
            mine = rows(node).keys() & set(reports)
            for one in mine:
                unit = units[one].removesuffix(FOR_ABOVE)
                assert any(f"{unit}/".startswith(f"{g.unit}/") for g in grants)
                assert name == "dima" or all(g.unit != unit for g in grants)
    finally:
        tree.close()

"""Conflicts across servers: a branch judges by the commits it has and then follows headquarters; all nodes end equal."""

from collections.abc import Iterator

import pytest

from fieldsync.core.state import register_of
from fieldsync.replica import commit_writer, history, save
from fieldsync.replica.changes import Changes, Draft
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from tests.cast import rows
from tests.tree import Tree, seen

FIELD = "location"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Headquarters, two branches and their laptops, who know one another."""
    found = Tree()
    save.add_record(found.nodes["amal"], "household", Changes(set={FIELD: "m", "family_name": "محمد"}))
    found.settle()
    yield found
    found.close()


def edit(node: Node, record: bytes, value: str) -> None:
    """Edit the place as the command does."""
    save.edit_record(node, record.hex(), Changes(set={FIELD: value}))


def values(node: Node, record: bytes) -> list[object]:
    """Return what is to be decided of the place."""
    return sorted(str(head.value) for item in decisions.conflicts_of(node, record.hex()) for head in item.heads)


def equal(tree: Tree, record: bytes) -> None:
    """Assert that every node that has the record shows it as headquarters does, register by register."""
    hq = rows(tree.nodes["hq"])[record]
    for name in ("jbl", "amal", "basim", "dima"):
        row = seen(tree.nodes[name])[record]
        assert register_of(row.state, FIELD) == register_of(hq.state, FIELD), name
        assert (row.doc, row.conflicts.keys()) == (hq.doc, hq.conflicts.keys()), name


def test_a_refusal_at_headquarters_is_followed_by_the_branch(tree: Tree) -> None:
    """Amal's commit names Dima's value, which the branch lacks; both servers quarantine it until Dima decides."""
    (record,) = rows(tree.nodes["hq"])
    edit(tree.nodes["dima"], record, "dima")
    edit(tree.nodes["basim"], record, "basim")
    tree.settle()
    amal = tree.nodes["amal"]
    context = dict(register_of(rows(amal)[record].state, FIELD).seen)
    with amal.store.write() as tx:  # a tampered laptop takes both away
        commit_writer.commit_drafts(amal, tx, [Draft(record, "household", 1, {FIELD: "amal"}, {FIELD: context})])
    tree.sync("amal", "jbl")
    assert values(tree.nodes["jbl"], record) == ["basim", "dima"]
    tree.settle()
    for name in ("hq", "jbl", "amal", "basim", "dima"):
        assert values(tree.nodes[name], record) == ["basim", "dima"], name
    equal(tree, record)
    assert any(one.refused for one in history.history(amal, record.hex()))
    decisions.decide_conflict(tree.nodes["dima"], record.hex(), FIELD, value="decided")
    tree.settle()
    for name in ("hq", "jbl", "amal", "basim", "dima"):
        assert values(tree.nodes[name], record) == ["amal", "decided"], name
    equal(tree, record)
    assert not any(one.refused for one in history.history(amal, record.hex()))


def test_an_edit_ahead_of_its_branch_is_accepted_after_the_nightly_sync(tree: Tree) -> None:
    """Amal edits a value known only to the branch and syncs with headquarters first: accepted after the branch syncs."""
    (record,) = rows(tree.nodes["hq"])
    edit(tree.nodes["basim"], record, "basim")
    tree.sync("basim", "jbl")
    tree.sync("amal", "jbl")
    edit(tree.nodes["amal"], record, "amal")
    tree.sync("amal", "hq")
    tree.settle()
    assert rows(tree.nodes["hq"])[record].doc[FIELD] == "amal"
    assert values(tree.nodes["hq"], record) == []
    equal(tree, record)


def test_what_headquarters_accepted_is_accepted_at_the_branch(tree: Tree) -> None:
    """Dima decides; Amal edits that at headquarters. The branch has both as a state, not as commits, before Amal brings hers."""
    (record,) = rows(tree.nodes["hq"])
    for name in ("amal", "basim"):
        edit(tree.nodes[name], record, name)
    tree.settle()
    assert values(tree.nodes["jbl"], record) == ["amal", "basim"]
    decisions.decide_conflict(tree.nodes["dima"], record.hex(), FIELD, value="basim")
    tree.sync("dima", "hq")
    tree.sync("amal", "hq")
    edit(tree.nodes["amal"], record, "after")
    tree.sync("amal", "hq")
    tree.sync("jbl", "hq")
    assert rows(tree.nodes["jbl"])[record].doc[FIELD] == "after"
    tree.sync("amal", "jbl")
    with tree.nodes["jbl"].store.read() as tx:
        assert tx.refusals(tree.nodes["amal"].device) == []
    tree.settle()
    equal(tree, record)

"""Commits that name writes which are not accepted, and removals that others take back: both wait for a decision."""

import pytest

from fieldsync.core.register import Value
from fieldsync.core.state import register_of
from fieldsync.replica import commit_writer, save
from fieldsync.replica.changes import Changes, Draft
from fieldsync.replica.node import Node
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.handmade import HandMade


def forge(node: Node, record: bytes, field: str, value: Value, seen: dict[bytes, int]) -> None:
    """Save with a context that no command would make."""
    with node.store.write() as tx:
        commit_writer.commit_drafts(node, tx, [Draft(record, "household", 1, {field: value}, {field: seen})])


def reasons(server: Node, author: Node) -> list[str]:
    """Return why a server quarantined somebody's commits."""
    with server.store.read() as tx:
        return [code for _, code, _ in tx.refusals(author.device)]


@pytest.mark.parametrize(("field", "found"), [("location", ["undecided"]), ("registered_on", [])])
@pytest.mark.parametrize("smaller", [True, False], ids=["smaller", "larger"])
def test_an_edit_over_a_quarantined_one_waits_for_it(
    people: Cast, field: str, found: list[str], *, smaller: bool
) -> None:
    """Basim's edit waits for its form; Amal's tampered laptop writes over it and her own: hers waits, too. So the other way round.

    A field of which the earliest date counts is never in conflict: nothing waits.
    """
    other, author = sorted((people.amal, people.basim), key=lambda node: node.device, reverse=not smaller)
    values = [f"2026-03-0{9 - n}" for n in range(4)]
    changes = Changes(set={"family_name": "محمد", field: values[0]})
    family = save.add_record(author, "household", changes, unit=JBL)
    for node in (author, other):
        directly.sync(node, people.hq)
    assert HandMade(other, people.hq).write({field: values[1]}, record=family, form=99) == "unknown_form"
    forge(author, family, field, values[2], {author.device: 1})
    directly.sync(author, people.hq)
    assert reasons(people.hq, author) == []
    forge(author, family, field, values[3], {author.device: 2, other.device: 1})
    directly.sync(author, people.hq)
    assert reasons(people.hq, author) == found
    assert rows(people.hq)[family].doc[field] == values[2 if found else 3]


def test_only_who_removed_a_record_takes_that_back_without_review(people: Cast) -> None:
    """Amal removed a family: Basim's tampered laptop restores it, which needs a decision; she does, which needs none."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    save.remove_record(people.amal, family.hex(), "entered twice")
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    for node, found in ((people.basim, ["undecided"]), (people.amal, [])):
        seen = dict(register_of(rows(people.hq)[family].state, "_deleted").seen)
        forge(node, family, "_deleted", None, seen)
        directly.sync(node, people.hq)
        assert reasons(people.hq, node) == found
        assert ("_deleted" in rows(people.hq)[family].doc) is (node is people.basim)

"""Merges of records below two branches: only headquarters holds both, and all nodes open the same question."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.state import register_of
from fieldsync.replica import commit_writer, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions, duplicate_pairs, queue
from fieldsync.store.contract import Row
from fieldsync.ui.review import questions
from fieldsync.ui.views.node_status import NodeView
from tests.cast import join_directly, open_node, rows
from tests.offices import write
from tests.protocol.test_branch_bundles import nights
from tests.tree import Tree, check

SAME = "_same_as"


class Apart(Tree):
    """A family below Jableh that gave way to one in Qardaha, and supervisors: Dima of both, Nadia of Jableh, Zaid of Qardaha."""

    def __init__(self) -> None:
        super().__init__()
        for name, branch, unit in (("nadia", "jbl", "LAT/JBL"), ("zaid", "qrd", "LAT/QRD")):
            join_directly(self.nodes[branch], self.home / name, name.capitalize(), "supervisor", [unit])
            self.nodes[name] = open_node(self.home / name, self.clock)
        self.gives = self.family("rima", "LAT/JBL/OLD")
        self.stays = self.family("samar", "LAT/QRD")
        self.meet()

    def family(self, name: str, unit: str) -> str:
        """Register a family."""
        made = Changes(set={"family_name": "الحسن", "location": "جبلة"})
        return record_ids.id_text(save.add_record(self.nodes[name], "household", made, unit=unit))

    def meet(self) -> None:
        """Let everybody sync until nothing can be new to anyone."""
        self.clock.tick(60_000)
        for _ in range(2):
            self.settle()
            for name, branch in (("nadia", "jbl"), ("zaid", "qrd")):
                self.sync(name, branch)
        self.settle()
        check(self)

    def merge(self) -> None:
        """Dima says that the two are one; nobody has heard yet."""
        duplicate_pairs.merge_records(self.nodes["dima"], self.stays, self.gives)

    def holders(self) -> dict[str, Row]:
        """Return the family that gave way, on all nodes that have it."""
        found = {name: rows(node).get(bytes.fromhex(self.gives.replace("-", ""))) for name, node in self.nodes.items()}
        return {name: row for name, row in found.items() if row is not None}

    def ask(self) -> set[str]:
        """Return the nodes that ask a person about the merge; these list the family."""
        asking = {name for name, row in self.holders().items() if SAME in row.conflicts}
        for name in asking:
            assert self.gives in stand(self.nodes[name]), name
        return asking


def stand(node: Node) -> list[str]:
    """Return the families that a node lists."""
    return sorted(one.id for one in queries.list_records(node, "household"))


EVERYBODY = {"hq", "jbl", "old", "amal", "basim", "nadia", "rima", "dima"}


@pytest.fixture
def apart() -> Iterator[Apart]:
    """A tree of one test."""
    made = Apart()
    assert made.holders().keys() == EVERYBODY
    yield made
    made.close()


@pytest.mark.parametrize("first", ["merge", "removal"])
def test_a_removal_concurrent_with_a_merge_opens_a_question_everywhere(apart: Apart, first: str) -> None:
    """Samar removes the surviving record while Dima merges: Jableh, which never held it, opens the question too."""
    apart.merge()
    save.remove_record(apart.nodes["samar"], apart.stays, "entered by mistake")
    order = ["dima", "samar"] if first == "merge" else ["samar", "dima"]
    for name in order:
        apart.sync(name, "qrd" if name == "samar" else "hq")
        apart.sync("qrd", "hq")
    apart.meet()
    assert apart.ask() == EVERYBODY
    dima = apart.nodes["dima"]
    with dima.store.write() as tx:
        row, kind = save.find_row(tx, apart.stays), dima.schema.type("household")
        commit_writer.commit_drafts(dima, tx, [save.draft_edit(dima, row, kind, {"_deleted": None}, decides=True)])
    apart.meet()
    assert apart.ask() == set()


def test_merges_by_bundle_open_the_same_questions(apart: Apart, tmp_path: Path) -> None:
    """The branches are offline; bundles travel between them and headquarters."""
    apart.merge()
    save.remove_record(apart.nodes["samar"], apart.stays, "entered by mistake")
    nights(apart, tmp_path / "night.age")
    apart.sync("nadia", "jbl")
    assert apart.ask() == EVERYBODY


@pytest.mark.parametrize("answer", ["head", "apart"])
def test_a_supervisor_without_the_other_record_can_decide(apart: Apart, answer: str) -> None:
    """Nadia decides that her family is removed too, or stays separate: headquarters accepts either, and the question closes."""
    apart.merge()
    save.remove_record(apart.nodes["samar"], apart.stays, "entered by mistake")
    apart.meet()
    nadia = apart.nodes["nadia"]
    waiting = next(one for one in queue.waiting_conflicts(nadia) if one.field == SAME)
    matter = questions.question_of_conflict(nadia, NodeView("en", rtl=False), waiting)
    assert matter is not None
    (item,) = decisions.conflicts_of(nadia, apart.gives)
    (head,) = item.heads
    if answer == "head":
        decisions.decide_conflict(nadia, apart.gives, SAME, head=head.name)
    else:
        decisions.decide_conflict(nadia, apart.gives, SAME, value="")
    apart.meet()
    assert apart.ask() == set()
    assert {row.doc.get(SAME) for row in apart.holders().values()} == {apart.stays if answer == "head" else None}
    decisions.undo_decision(nadia, apart.gives, SAME)
    apart.meet()
    assert apart.ask() == EVERYBODY


def test_a_supervisor_of_one_unit_can_choose_between_two_merges(apart: Apart) -> None:
    """Dima merges into Qardaha's family, Nadia into hers: Nadia chooses Dima's merge, undoes that, and chooses it again."""
    other = apart.family("amal", "LAT/JBL")
    apart.meet()
    nadia = apart.nodes["nadia"]
    duplicate_pairs.merge_records(nadia, other, apart.gives)
    apart.merge()
    apart.meet()
    assert apart.ask() == EVERYBODY
    for _ in range(2):
        (item,) = decisions.conflicts_of(nadia, apart.gives)
        (head,) = (one for one in item.heads if one.value == apart.stays)
        decisions.decide_conflict(nadia, apart.gives, SAME, head=head.name)
        apart.meet()
        assert apart.ask() == set()
        assert {row.doc[SAME] for row in apart.holders().values()} == {apart.stays}
        decisions.undo_decision(nadia, apart.gives, SAME)
        apart.meet()
        assert apart.ask() == EVERYBODY


def test_a_decision_cannot_name_a_record_of_another_unit(apart: Apart) -> None:
    """Nadia may choose Dima's merge but no other record of Qardaha: her program refuses, and so does headquarters."""
    other, hidden = apart.family("amal", "LAT/JBL"), apart.family("samar", "LAT/QRD")
    apart.meet()
    nadia = apart.nodes["nadia"]
    duplicate_pairs.merge_records(nadia, other, apart.gives)
    apart.merge()
    apart.meet()
    with pytest.raises(errors.NoRecord):
        decisions.decide_conflict(nadia, apart.gives, SAME, value=hidden)
    with pytest.raises(errors.AlreadyOne):
        decisions.decide_conflict(nadia, apart.gives, SAME, value=apart.gives)
    before = apart.ask()
    with nadia.store.write() as tx:
        row, kind = save.find_row(tx, apart.gives), nadia.schema.type("household")
        over = [[head.device.hex(), *head[1:]] for head in register_of(row.state, SAME).heads]
        said = {SAME: hidden, f"_decided/{SAME}": {"heads": over, "base": None, "note": None}}
        commit_writer.commit_drafts(nadia, tx, [save.draft_edit(nadia, row, kind, said, decides=True)])
    for name, server in (("nadia", "jbl"), ("jbl", "hq"), ("nadia", "jbl")):
        apart.sync(name, server)
    with apart.nodes["hq"].store.read() as tx:
        assert [code for _, code, _ in tx.refusals(nadia.device)] == ["no_record"]
    assert SAME in apart.holders()["hq"].conflicts
    assert before == EVERYBODY


def test_a_merge_into_a_record_moved_and_removed_elsewhere(apart: Apart) -> None:
    """The surviving record moved from Jableh to Qardaha and is removed there: Jableh's old copy of it does not count."""
    nadia, samar = apart.nodes["nadia"], apart.nodes["samar"]
    stays = apart.family("amal", "LAT/JBL")
    apart.meet()
    duplicate_pairs.merge_records(nadia, stays, apart.gives)
    apart.meet()
    transfer.transfer_record(nadia, stays, "LAT/QRD")
    for name, server in (("nadia", "jbl"), ("jbl", "hq"), ("qrd", "hq"), ("samar", "qrd")):
        apart.sync(name, server)
    assert apart.ask() == set()
    save.remove_record(samar, stays, "entered by mistake")
    for name, server in (("samar", "qrd"), ("qrd", "hq"), ("jbl", "hq")):
        apart.sync(name, server)
    assert rows(apart.nodes["jbl"])[bytes.fromhex(stays.replace("-", ""))], "other laptops have not heard that it left"
    assert "jbl" in apart.ask()
    apart.meet()
    assert apart.ask() == EVERYBODY
    row = rows(apart.nodes["hq"])[bytes.fromhex(stays.replace("-", ""))]
    assert "_deleted" in row.doc


@pytest.mark.parametrize("which", ["hq", "jbl"])
def test_a_restored_server_opens_the_question_again(apart: Apart, which: str) -> None:
    """Headquarters lost the removal, or the branch the question: both return."""
    apart.merge()
    apart.meet()
    kept = apart.home / "kept"
    apart.nodes[which].close()
    shutil.copytree(apart.home / which, kept)
    apart.nodes[which] = open_node(apart.home / which, apart.clock)
    save.remove_record(apart.nodes["samar"], apart.stays, "entered by mistake")
    apart.meet()
    assert apart.ask() == EVERYBODY
    apart.nodes[which].close()
    apart.nodes[which] = open_node(kept, apart.clock)
    apart.meet()
    assert apart.ask() == EVERYBODY


def test_a_question_reveals_nothing_of_the_removed_record(apart: Apart) -> None:
    """Jableh learns that there is a question, but no value, reason, time or place."""
    apart.merge()
    save.remove_record(apart.nodes["samar"], apart.stays, "a reason that is nobody's business")
    apart.meet()
    removed = bytes.fromhex(apart.stays.replace("-", ""))
    for name in ("jbl", "old", "amal", "nadia"):
        assert removed not in rows(apart.nodes[name])
        with apart.nodes[name].store.read() as tx:
            held = str(
                [
                    tuple(row)
                    for table in ("record", "asked", "meta")
                    for row in tx.sql(f"SELECT * FROM {table}")
                    if not str(row[0]).startswith("units")  # which units there are, every device is told
                ]
            )
        assert "nobody's business" not in held
        assert "LAT/QRD" not in held


def test_a_forged_merge_reveals_nothing_of_other_units(apart: Apart) -> None:
    """Nadia's own program merges her families into a removed id of Qardaha and an unknown id: no question for either."""
    save.remove_record(apart.nodes["samar"], apart.stays, "entered by mistake")
    mine = [apart.family("amal", "LAT/JBL") for _ in range(2)]
    apart.meet()
    nadia = apart.nodes["nadia"]
    for record, other in zip(mine, (apart.stays, "019c0000-0000-7000-8000-00000000abcd"), strict=True):
        write(nadia, bytes.fromhex(record.replace("-", "")), {SAME: other}, type="household")
    for name, server in (("nadia", "jbl"), ("jbl", "hq"), ("jbl", "hq"), ("nadia", "jbl"), ("amal", "jbl")):
        apart.sync(name, server)
    for name in ("hq", "jbl", "nadia", "amal"):
        assert all(SAME not in row.conflicts for row in rows(apart.nodes[name]).values()), name


def test_a_cycle_across_two_branches_leaves_one_record(apart: Apart) -> None:
    """Dima merges in one direction, another supervisor in the other: the older record survives, without review."""
    join_directly(apart.nodes["hq"], apart.home / "hala", "Hala", "supervisor", ["LAT"])
    hala = apart.nodes["hala"] = open_node(apart.home / "hala", apart.clock)
    apart.sync("hala", "hq")
    apart.merge()
    duplicate_pairs.merge_records(hala, apart.gives, apart.stays)
    apart.sync("hala", "hq")
    apart.meet()
    apart.sync("hala", "hq")
    assert apart.ask() == set()
    for name in ("hq", "dima", "hala"):
        assert stand(apart.nodes[name]) == [min(apart.gives, apart.stays)], name
    for name in ("jbl", "old", "amal", "rima"):
        assert stand(apart.nodes[name]) == [apart.gives], name
    assert stand(apart.nodes["qrd"]) == [apart.stays]

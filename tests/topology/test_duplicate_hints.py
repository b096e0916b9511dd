"""Duplicate hints: a person registered at two branches; caseworkers get a hint, and those who see both get the pair."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldsync.core import record_ids
from fieldsync.exchange.tables.export_records import export_records
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs
from tests.cast import rows
from tests.review.test_duplicates import AGAIN, AHMAD, person
from tests.tree import Tree


@pytest.fixture
def tree() -> Iterator[Tree]:
    """Set up three branches, one below another."""
    made = Tree()
    yield made
    made.close()


def told(tree: Tree, name: str, record: str) -> bool:
    """Say whether a laptop knows that a record may be registered elsewhere, too."""
    return bool(queries.show(tree.nodes[name], record).elsewhere)


def test_a_hint_reaches_laptops_through_their_branches(tree: Tree) -> None:
    """Each of two branches holds one record; both laptops get the hint, and no data of the other record."""
    far, near = person(tree.nodes["rima"], "LAT/JBL/OLD", AHMAD), person(tree.nodes["samar"], "LAT/QRD", AGAIN)
    tree.settle()
    assert told(tree, "rima", far)
    assert told(tree, "samar", near)
    assert [len(rows(tree.nodes[name])) for name in ("rima", "samar", "old", "qrd")] == [1, 1, 1, 1]
    assert all(duplicate_pairs.list_pairs(tree.nodes[name]) == [] for name in ("rima", "samar", "old", "qrd", "jbl"))
    again = person(tree.nodes["rima"], "LAT/JBL/OLD", AHMAD | {"given": "سلمى", "birth_date": "2001-03-03"})
    tree.settle()
    assert not told(tree, "rima", again)  # it is told of what is so, not of all


def test_those_who_see_both_records_see_the_pair(tree: Tree) -> None:
    """A pair across branches is in the queue of the supervisor above both; the decision removes the hints."""
    far, near = person(tree.nodes["rima"], "LAT/JBL/OLD", AHMAD), person(tree.nodes["samar"], "LAT/QRD", AGAIN)
    tree.settle()
    dima = tree.nodes["dima"]
    (pair,) = duplicate_pairs.list_pairs(dima)
    assert {pair.a, pair.b} == {far, near}
    duplicate_pairs.merge_records(dima, far, near)
    tree.settle()
    assert duplicate_pairs.list_pairs(dima) == []
    assert not told(tree, "samar", near)
    assert queries.show(tree.nodes["samar"], near).same_as == far


def test_a_pair_within_a_branch_gives_hints_below_it(tree: Tree) -> None:
    """A branch that holds both compares them itself: those who see both get the pair, others a hint."""
    far, near = person(tree.nodes["rima"], "LAT/JBL/OLD", AHMAD), person(tree.nodes["amal"], "LAT/JBL", AGAIN)
    for name, server in (("amal", "jbl"), ("rima", "old"), ("old", "jbl"), ("old", "jbl"), ("rima", "old")):
        tree.sync(name, server)  # the headquarters has heard of neither
    assert told(tree, "rima", far)
    tree.sync("amal", "jbl")
    (pair,) = duplicate_pairs.list_pairs(tree.nodes["amal"])
    assert {pair.a, pair.b} == {far, near}
    assert not told(tree, "amal", near)


def test_a_merged_person_is_listed_once_everywhere(tree: Tree, tmp_path: Path) -> None:
    """Lists and exports have the surviving record where visible, else the one present; references follow."""
    samar, dima = tree.nodes["samar"], tree.nodes["dima"]
    far, near = person(tree.nodes["rima"], "LAT/JBL/OLD", AHMAD), person(samar, "LAT/QRD", AGAIN)
    home = record_ids.id_text(
        save.add_record(samar, "household", Changes(set={"family_name": "الحسن"}), unit="LAT/QRD")
    )
    stay = {"household": home, "person": near, "relation": "head", "from_date": "2020-01-01"}
    save.add_record(samar, "membership", Changes(set=stay))
    tree.settle()
    duplicate_pairs.merge_records(dima, far, near)
    tree.settle()
    for name, stands in (("dima", far), ("hq", far), ("rima", far), ("samar", near), ("qrd", near)):
        node = tree.nodes[name]
        assert [one.id for one in queries.list_records(node, "person")] == [stands]
        assert [one["id"] for one in exported(node, "person", tmp_path)] == [stands]
        assert [one["person"] for one in exported(node, "membership", tmp_path)] == ([] if name == "rima" else [stands])
    duplicate_pairs.split_records(dima, far, near)
    tree.settle()
    assert {one["id"] for one in exported(dima, "person", tmp_path)} == {far, near}
    assert [one["person"] for one in exported(dima, "membership", tmp_path)] == [near]


def exported(node: Node, type: str, folder: Path) -> list[dict[str, Any]]:
    """Export to JSON lines; return the lines."""
    export_records(node, type, folder / "out.jsonl")
    lines = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    return [one | one.get("fields", {}) for one in map(json.loads, lines)]

"""Forms that change between edits and syncs: everybody ends with the same registers, and no old form is refused."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core.commit import FORMAT, Commit
from fieldsync.core.state import canonical
from fieldsync.server.publish import publish
from fieldsync.sync import forms, read, review, save
from fieldsync.sync.node import FORMS, Node
from fieldsync.sync.rules import Rules
from fieldsync.sync.save import Changes
from fieldsync.sync.verify import check
from tests import directly
from tests.cast import JBL, Clock, copy_cast, found_cast, open_node, rows
from tests.conftest import Cast
from tests.formbook import Book, Question, write
from tests.offices import write as write_commits

LAPTOPS = ("amal", "basim")
_small = st.integers(0, 7)
_who = st.sampled_from(LAPTOPS)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add_field"), st.sampled_from(["text", "choice", "set"])),
        st.tuples(st.sampled_from(["rename", "rename", "widen", "narrow", "retire"]), _small),
        st.tuples(st.just("new"), _who),
        st.tuples(st.just("edit"), _who, _small, _small, _small),
        st.tuples(st.just("edit"), _who, _small, _small, _small),
        st.tuples(st.just("sync"), _who),
        st.tuples(st.just("cut"), _who, st.integers(0, 4)),
    ),
    min_size=4, max_size=16,
)  # fmt: skip


def _changes(one: Question, value: int) -> Changes:
    if one.kind == "text":
        return Changes(set={one.name: f"text {value}"})
    if one.kind == "log":
        return Changes(say={one.name: f"entry {value}"})
    code = one.choices[value % len(one.choices)]
    return Changes(set={one.name: code}) if one.kind == "choice" else Changes(put={one.name: [code]})


class _Story:
    """A server and two laptops, the book of forms at headquarters, and what people were told is saved."""

    def __init__(self, home: Path) -> None:
        self.home = home
        clock = Clock()
        self.nodes = {name: open_node(home / name, clock) for name in ("hq", *LAPTOPS)}
        self.clock = clock
        self.book = Book()
        self.saved: list[tuple[str, bytes, int, Any]] = []  # who, record, question, value
        self._folder = home / "forms"
        self.publish()

    def publish(self) -> None:
        """Put the book's forms in force."""
        publish(self.nodes["hq"], self.book.write(self._folder))

    def known(self, name: str) -> list[Question]:
        """The questions that a laptop has, by the names in its own form."""
        visit = self.nodes[name].schema.types.get("visit")
        if visit is None:
            return []
        found = []
        for key, one in enumerate(self.book.questions):
            names = [old for old in visit.fields if self._now(old) == one.name]
            if names and not visit.fields[names[0]].retired:
                codes = [choice.code for choice in visit.fields[names[0]].offered]
                if codes or not one.choices:
                    found.append(Question(key, names[0], one.kind, codes))
        return found

    def _now(self, name: str) -> str:
        while name in self.book.renamed:
            name = self.book.renamed[name]
        return name

    def play(self, step: tuple[Any, ...]) -> None:
        """Do one thing."""
        self.clock.tick()
        match step:
            case ("add_field", kind):
                self.book.add(kind)
                self.publish()
            case (("rename" | "widen" | "narrow" | "retire") as what, which):
                getattr(self.book, what)(which)
                self.publish()
            case ("new", who) if self.known(who):
                record = save.add(self.nodes[who], "visit", Changes(), unit=JBL)
                self.edit(who, record, 0, 1)
            case ("edit", who, which, question, value):
                visits = sorted(r for r, row in rows(self.nodes[who]).items() if row.state.type == "visit")
                if visits and self.known(who):
                    self.edit(who, visits[which % len(visits)], question, value)
            case ("sync", who):
                directly.sync(self.nodes[who], self.nodes["hq"])
            case ("cut", who, frames):
                try:
                    directly.sync(self.nodes[who], self.nodes["hq"], cut=frames)
                except errors.CutOff:
                    pass

    def edit(self, who: str, record: bytes, question: int, value: int) -> None:
        """Somebody fills in a field of their own form."""
        asked = self.known(who)
        one = asked[question % len(asked)]
        changes = _changes(one, value)
        save.edit(self.nodes[who], record.hex(), changes)
        for given_ in (changes.set, changes.put, changes.say):
            for said in given_.values():
                self.saved.append((who, record, one.key, said[0] if isinstance(said, list) else said))

    def end(self) -> None:
        """Everybody syncs, and all is as it must be."""
        for _ in range(2):
            for name in LAPTOPS:
                tally = directly.sync(self.nodes[name], self.nodes["hq"])
                assert (tally.refused, tally.differing) == (0, [])
        hq = self.nodes["hq"]
        for name in LAPTOPS:
            node = self.nodes[name]
            assert (node.forms, node.schema.version) == (hq.forms, hq.schema.version)
            assert directly.differing(node, hq) == []
            assert {r: canonical(row.state) for r, row in rows(node).items()} == {
                r: canonical(row.state) for r, row in rows(hq).items()
            }
            assert {r: (row.doc, set(row.conflicts)) for r, row in rows(node).items()} == {
                r: (row.doc, set(row.conflicts)) for r, row in rows(hq).items()
            }
        for node in self.nodes.values():
            assert check(node)["faults"] == []
        with hq.store.read() as tx:
            assert all(tx.refusals(device.id) == [] for device in tx.devices())
        self._readable(hq)

    def _readable(self, hq: Node) -> None:
        """Each field shows the last value that was saved of it, if all its values are one laptop's; sets and logs show all."""
        found = rows(hq)
        for who, record, key, value in self.saved:
            one = self.book.questions[key]
            shown = found[record].doc.get(one.name)
            if one.kind == "set":
                assert value in shown
            elif one.kind == "log":
                assert value in [entry["text"] for entry in shown]
            else:
                of_it = [(by, said) for by, rec, k, said in self.saved if (rec, k) == (record, key)]
                assert shown in [said for _, said in of_it]
                if {by for by, _ in of_it} == {who}:
                    assert shown == of_it[-1][1]
        for row in found.values():
            assert not self.book.renamed.keys() & {name.partition("/")[0] for name in row.doc}

    def close(self) -> None:
        """Close all stores."""
        for node in self.nodes.values():
            node.close()


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cast to copy."""
    home = tmp_path_factory.mktemp("founded")
    found_cast(home)
    return home


@settings(max_examples=12)
@given(steps=_steps)
def test_forms_change_between_edits_and_syncs(founded: Path, steps: list[tuple[Any, ...]]) -> None:
    """Fields come, get other names, more choices or leave, at any moment: all nodes end equal, and every value is there."""
    home = Path(tempfile.mkdtemp(prefix="fieldsync-"))
    copy_cast(founded, home)
    story = _Story(home)
    try:
        for step in [("sync", "amal"), ("new", "amal"), ("sync", "amal"), ("sync", "basim"), *steps]:
            story.play(step)
        story.end()
    finally:
        story.close()
        shutil.rmtree(home)

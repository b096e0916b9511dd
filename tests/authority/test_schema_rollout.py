"""Forms that change between edits and syncs: all nodes end with the same registers, and no commit under an old form is refused."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import schema_rollout
from fieldsync.authority.integrity import check_integrity
from fieldsync.core import codes
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions, queue
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.schema.compatibility import FormChange
from fieldsync.server.publish_schema import PublishedForms, publish_schema
from tests import directly
from tests.cast import JBL, QRD, Clock, copy_cast, found_cast, open_node, rows
from tests.conftest import Cast
from tests.formbook import Book, Question, write
from tests.offices import write as write_commits
from tests.replica.test_convergence import check_store
from tests.replica.test_transfer import move
from tests.scale import SCALE

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
        publish_schema(self.nodes["hq"], self.book.write(self._folder))

    def known(self, name: str) -> list[Question]:
        """The questions that a laptop has, by the names in its own form."""
        visit = self.nodes[name].schema.types.get("visit")
        if visit is None:
            return []
        found = []
        for key, one in enumerate(self.book.questions):
            names = [old for old in visit.fields if self._now(old) == one.name]
            if names and not visit.fields[names[0]].retired:
                codes = [choice.code for choice in visit.fields[names[0]].offered_choices]
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
                record = save.add_record(self.nodes[who], "visit", Changes(), unit=JBL)
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
        save.edit_record(self.nodes[who], record.hex(), changes)
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
            assert {r: canonical_bytes(row.state) for r, row in rows(node).items()} == {
                r: canonical_bytes(row.state) for r, row in rows(hq).items()
            }
            assert {r: (row.doc, set(row.conflicts)) for r, row in rows(node).items()} == {
                r: (row.doc, set(row.conflicts)) for r, row in rows(hq).items()
            }
        for node in self.nodes.values():
            assert check_integrity(node).faults == []
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


@settings(max_examples=6 * SCALE)
@given(steps=_steps)
def test_forms_change_between_edits_and_syncs(founded: Path, steps: list[tuple[Any, ...]]) -> None:
    """Fields are added, renamed, extended or retired at any moment: all nodes end equal, and every value is present."""
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


# --- one thing at a time ----------------------------------------------------------------------------------------------


@pytest.fixture
def book(people: Cast, tmp_path: Path) -> Book:
    """Return forms with a type of visits, in force and known to Amal and Basim; one visit is everybody's."""
    made = Book()
    publish_schema(people.hq, made.write(tmp_path / "forms"))
    directly.sync(people.amal, people.hq)
    save.add_record(people.amal, "visit", Changes(set={"q0": "Jableh", "q1": "a"}), unit=JBL)
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    return made


def _visit(node: Node) -> bytes:
    return next(record for record, row in rows(node).items() if row.state.type == "visit")


def test_writes_under_both_names_of_a_field_conflict(people: Cast, book: Book, tmp_path: Path) -> None:
    """Amal writes under the old name and Basim under the new: two heads of one field, decided as usual."""
    record = _visit(people.amal).hex()
    save.edit_record(people.amal, record, Changes(set={"q0": "old form"}))
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    directly.sync(people.basim, people.hq)
    save.edit_record(people.basim, record, Changes(set={book.questions[0].name: "new form"}))
    for node in (people.basim, people.amal, people.basim, people.samar):
        directly.sync(node, people.hq)
    (item,) = decisions.list_conflicts(people.samar)
    assert item.field == book.questions[0].name
    assert {head.value for head in item.heads} == {"old form", "new form"}
    decisions.decide_conflict(people.samar, record, item.field, value="decided")
    for node in (people.samar, people.amal, people.basim):
        assert directly.sync(node, people.hq).refused == 0
        assert rows(node)[bytes.fromhex(record)].doc[book.questions[0].name] == "decided"
        assert directly.differing(node, people.hq) == []


def test_an_unauthorised_decision_under_an_old_name_is_quarantined(people: Cast, book: Book, tmp_path: Path) -> None:
    """A caseworker's commit that covers both heads under the old name counts as a decision and is quarantined."""
    record = _visit(people.amal)
    directly.sync(people.samar, people.hq)
    for node, value in ((people.samar, "one"), (people.basim, "two")):
        save.edit_record(node, record.hex(), Changes(set={"q0": value}))
    for node in (people.samar, people.basim, people.amal):
        directly.sync(node, people.hq)
    with people.amal.store.write() as tx:
        row = tx.rows([record])[record]
        kind = people.amal.schema.type("visit")
        commit_writer.commit_drafts(
            people.amal, tx, [save.draft_edit(people.amal, row, kind, {"q0": "mine"}, decides=True)]
        )
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    assert directly.sync(people.amal, people.hq).refused == 1
    assert set(rows(people.hq)[record].conflicts) == {book.questions[0].name}


def test_values_legal_under_their_own_form_are_accepted(people: Cast, book: Book, tmp_path: Path) -> None:
    """A limit was tightened and a choice retired while Amal was offline: her saves count; new ones are refused."""
    record = _visit(people.amal).hex()
    save.edit_record(people.amal, record, Changes(set={"q0": "a long answer"}))
    made = save.add_record(people.amal, "visit", Changes(set={"q1": "a"}), unit=JBL)
    book.narrow(0)
    texts = book.texts()
    texts["visit.toml"] = texts["visit.toml"].replace('type = "text"', 'type = "text"\nmax = 5')
    publish_schema(people.hq, write(tmp_path / "forms", texts))
    assert directly.sync(people.amal, people.hq).refused == 0
    shown = rows(people.hq)[bytes.fromhex(record)].doc | rows(people.hq)[made].doc
    assert (shown["q0"], shown["q1"]) == ("a long answer", "a")
    with pytest.raises(errors.IllegalValue):
        save.edit_record(people.amal, record, Changes(set={"q0": "another long answer"}))
    with pytest.raises(errors.IllegalValue) as refused:
        save.add_record(people.amal, "visit", Changes(set={"q1": "a"}))
    assert refused.value.facts["reason"] == "retired_choice"


def test_a_retired_type_can_be_read_but_not_added(people: Cast, book: Book, tmp_path: Path) -> None:
    """Existing visits stay, a concurrent one is accepted, and no new one can be added."""
    made = save.add_record(people.basim, "visit", Changes(set={"q0": "late"}), unit=JBL)
    book.version, book.retired = book.version + 1, True
    told = publish_schema(people.hq, book.write(tmp_path / "forms"))
    assert told.changes == [FormChange("visit", "type_retired")]
    assert directly.sync(people.basim, people.hq).refused == 0
    assert rows(people.hq)[made].doc["q0"] == "late"
    with pytest.raises(errors.RetiredType):
        save.add_record(people.basim, "visit", Changes(set={"q0": "later"}))
    assert len(queries.list_records(people.basim, "visit")) == 2


def test_a_field_made_searchable_is_found(people: Cast, book: Book, tmp_path: Path) -> None:
    """Records are found by a field once the form marks it searchable."""
    assert queries.find(people.amal, "Jableh") == []
    book.rename(0)
    texts = book.texts()
    texts["visit.toml"] = f'search = ["{book.questions[0].name}"]\n' + texts["visit.toml"]
    publish_schema(people.hq, write(tmp_path / "forms", texts))
    directly.sync(people.amal, people.hq)
    assert len(queries.find(people.amal, "Jableh")) == 1


def test_a_removal_s_context_survives_a_rename(people: Cast, book: Book, tmp_path: Path) -> None:
    """Amal removes a record she edited under an older name while Basim adds a note: review shows Basim's change only."""
    book.add("text")
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    first, second = (one.name for one in book.questions[:1] + book.questions[-1:])
    record = _visit(people.amal)
    save.edit_record(people.amal, record.hex(), Changes(set={first: "seen"}))
    directly.sync(people.amal, people.hq)
    save.remove_record(people.amal, record.hex(), "twice")
    save.edit_record(people.basim, record.hex(), Changes(set={second: "unseen"}))
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    for node in (people.basim, people.amal, people.samar):
        directly.sync(node, people.hq)
    (one,) = queue.waiting_conflicts(people.samar, ConflictFilter(field="_deleted"))
    detail = queue.conflict_detail(people.samar, one)
    assert detail is not None
    assert [(head.field, head.value) for head in detail.meanwhile] == [(second, "unseen")]


def test_report_views_use_current_names(people: Cast, book: Book, tmp_path: Path) -> None:
    """A renamed field is a renamed column on server and laptop; a dry run changes nothing."""
    book.rename(0)
    folder = book.write(tmp_path / "forms")
    name = book.questions[0].name
    told = publish_schema(people.hq, folder, dry_run=True)
    assert (told.published, told.changes) == (False, [FormChange("visit", "field_renamed", field=name, was="q0")])
    assert "q0" in people.hq.schema.type("visit").fields
    publish_schema(people.hq, folder)
    directly.sync(people.amal, people.hq)
    for node in (people.hq, people.amal):
        with node.store.read() as tx:
            assert tx.sql(f"SELECT [{name}] FROM visit").fetchone()[0] == "Jableh"
    assert publish_schema(people.hq, folder) == PublishedForms(told.number, published=False, changes=[])


def test_a_commit_with_unknown_fields_is_quarantined(people: Cast, book: Book, tmp_path: Path) -> None:
    """A save with an unknown type or field is quarantined, reported, and applied once a form has it."""
    record, other = _visit(people.amal), people.amal.new_id()
    write_commits(people.amal, record, {"q9": "x"}, type="visit")
    write_commits(
        people.amal, other, {"_code": codes.make_code(JBL, "B", 900), "_unit": JBL, "colour": "red"}, type="tent"
    )
    save.edit_record(people.amal, record.hex(), Changes(set={"q0": "after them"}))
    assert directly.sync(people.amal, people.hq).refused == 2
    assert rows(people.hq)[record].doc["q0"] == "after them"
    status = queries.status(people.amal)
    assert [one["code"] for one in status.refused] == ["unknown_field", "unknown_type"]
    assert status.refused[0]["record"] == rows(people.amal)[record].code
    texts = book.texts()
    tent = '[fields.colour]\ntype = "text"\nmerge = "latest"\nsensitivity = 1\nlabel = { en = "x", ar = "س" }\n'
    texts["tent.toml"] = texts["visit.toml"].partition("[fields")[0] + tent
    publish_schema(people.hq, write(tmp_path / "forms", texts))
    directly.sync(people.amal, people.hq)
    assert [one["code"] for one in queries.status(people.amal).refused] == ["unknown_field"]
    with people.hq.store.read() as tx:
        assert tx.refusals(people.amal.device) != []


def test_a_rename_reaches_a_record_in_two_channels(people: Cast, book: Book, tmp_path: Path) -> None:
    """Two people moved the record to different units: the rename changes both channels' digests alike on every node."""
    record = _visit(people.basim)
    save.edit_record(people.basim, record.hex(), Changes(set={"q0": "by a commit of its own"}))
    for node in (people.basim, people.samar):
        directly.sync(node, people.hq)
    move(people.basim, record, QRD)
    move(people.samar, record, "LAT")
    for node in (people.basim, people.samar, people.basim):
        directly.sync(node, people.hq)
    assert len(rows(people.hq)[record].channels) == 2
    book.rename(0)
    publish_schema(people.hq, book.write(tmp_path / "forms"))
    tallies = [directly.sync(node, people.hq) for node in (people.basim, people.samar)]
    assert [(tally.healed, tally.differing) for tally in tallies] == [(0, [])] * 2
    for node in (people.hq, people.basim, people.samar):
        check_store(node)


def test_values_under_a_newer_form_are_kept_until_the_server_has_it(people: Cast, book: Book, tmp_path: Path) -> None:
    """A laptop with the newest forms syncs with an older server: its values are kept, and searchable once the server has the form."""
    record = _visit(people.amal)
    book.rename(0)
    book.add("text")
    with people.amal.store.write() as tx:
        schema_rollout.put_in_force(people.amal, tx, book.texts() | {"published.toml": "number = 9\n"})
    save.edit_record(
        people.amal, record.hex(), Changes(set={book.questions[0].name: "newer", book.questions[-1].name: "more"})
    )
    tally = directly.sync(people.amal, people.hq)
    assert (tally.refused, tally.differing) == (1, [])
    assert [one["code"] for one in queries.status(people.amal).refused] == ["unknown_form"]  # it waits there
    assert people.amal.forms[:4] == (9).to_bytes(4, "big")
    with people.hq.store.write() as tx:
        schema_rollout.put_in_force(people.hq, tx, book.texts() | {"published.toml": "number = 9\n"})
    directly.sync(people.amal, people.hq)
    assert directly.differing(people.amal, people.hq) == []
    assert rows(people.hq)[record].doc == rows(people.amal)[record].doc
    assert rows(people.hq)[record].doc[book.questions[0].name] == "newer"
    assert queries.status(people.amal).refused == []
    assert check_integrity(people.hq).faults == []

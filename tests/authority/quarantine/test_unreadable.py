"""Unreadable commits: the wire accepts only commits that the log's readers can decode; older ones are carried and reported."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority.integrity import ListedCommit, check_integrity
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import LoggedCommit
from fieldsync.wire import columns, messages, row_batches
from tests import directly
from tests.cast import JBL
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.scale import examples
from tests.tree import Tree
from tests.wire.frozen import ADD, EDIT

pack = msgspec.msgpack.encode
_leaf = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats() | st.text(max_size=3) | st.binary(max_size=17)
)  # fmt: skip
_tree = st.recursive(
    _leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | _leaf, inner, max_size=2), max_leaves=6
)  # fmt: skip


def _column(values: list[Any]) -> st.SearchStrategy[bytes]:
    """Columns of as many values, of any kind: whole or wrong."""
    n = len(values)
    same = _tree.map(lambda one: bytes((columns.CONST,)) + pack(one))
    any_ = st.lists(_tree, min_size=n, max_size=n).map(lambda many: bytes((columns.RAW,)) + pack(many))
    choice = st.lists(_tree, min_size=1, max_size=2).map(lambda two: bytes((columns.CHOICES,)) + pack((two, bytes(n))))
    null = same.map(lambda inner: bytes((columns.NULLABLE,)) + pack((bytes([1] * n), inner)))
    return same | any_ | choice | null | st.just(columns.encode_column(values))


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """A COMMITS frame's rows, as no program of ours packs them: anything may stand in any of its columns and lists."""
    devices, authors, types, body = msgspec.msgpack.decode(row_batches.pack_commits([ADD, EDIT]))
    columns_of = {3: [0, 0], 5: [None, "x"], 7: [0, 2]}  # kinds, notes, how many contexts
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.integers(0, 9))
        if what == 0:
            body[0] = draw(_tree)
        elif what in (1, 2):
            place = draw(st.sampled_from(sorted(columns_of)))
            body[place] = draw(_column(columns_of[place]))
        elif what in (3, 4):
            fields = body[6]
            which = draw(st.integers(0, len(fields[3]) - 1))
            size = sum(1 for one in (ADD, EDIT) if fields[0][which] in one.fields)
            fields[3][which] = draw(_column([None] * size))
        elif what == 5:
            types[0] = draw(st.tuples(_leaf, _leaf) | _tree)
        elif what == 6:
            authors[draw(st.integers(0, len(authors) - 1))] = draw(_tree)
        elif what == 7:
            which = draw(st.integers(0, 3))
            body[2][0][which] = draw(_column([0, 0]))
        elif what == 8:
            body[9] = draw(st.lists(st.tuples(st.integers(0, 3), st.lists(_leaf, max_size=3)), max_size=3))
        else:
            body[8] = draw(st.just([2, columns.encode_column([0, 0]), 0, []]) | _tree)
    return pack((devices, authors, types, body))


@examples(200)
@given(payloads())
def test_commits_accepted_by_the_wire_can_be_decoded(payload: bytes) -> None:
    """Arbitrary columns are refused with one of our errors, or every commit decodes to the same values and types."""
    try:
        found, bodies = row_batches.unpack_bodies(payload)
    except errors.FieldsyncError:
        return
    for one, body in zip(found, bodies, strict=True):
        again = commits.decode_commit(body)
        assert commits.decode_stored(body) == again == one
        assert commits.encode(again) == commits.encode(one) == body
        shape = (again.format, again.seq, again.stamp, again.form)
        assert [type(part) for part in shape] == [int] * 4
        assert [type(part) for part in (again.author, again.type)] == [str] * 2
        assert again.note is None or type(again.note) is str


POISON: dict[str, dict[str, Any]] = {
    "a list in a list": {"fields": {"location": [["x"]]}}, "a map in a list": {"fields": {"location": [{"a": 1}]}},
    "a number in a list": {"fields": {"location": [7]}}, "a form that is true": {"form": True}, "a version that is true": {"format": True},
    "a note that is a number": {"note": 7}, "a type that is none": {"type": None}, "a form of words": {"form": "1"},
    "a version of a half": {"format": 1.0}, "a name that is bytes": {"context": (((b"location",), ((b"x" * 16, 1),)),)},
}  # fmt: skip


@pytest.mark.parametrize("name", POISON)
def test_an_undecodable_commit_is_not_logged(people: Cast, name: str) -> None:
    """Amal's key signs an undecodable commit: it gets a 4xx, nothing is kept, and her next commit is accepted."""
    hand = HandMade(people.amal, people.hq)
    with pytest.raises(errors.FieldsyncError) as refused:
        hand.push(hand.commit(**{"fields": {"location": "x"}} | POISON[name]))
    assert 400 <= refused.value.status < 500
    with people.hq.store.read() as tx:
        assert tx.log_head(people.amal.device) == 0
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    assert directly.sync(people.amal, people.hq).differing == []
    assert history.history(people.hq, record.hex())


def poisoned(node: Node, author: Node, one: Commit) -> int:
    """Log a commit as release 0.1 did, which read it from a frame and never again; return its number."""
    with node.store.write() as tx:
        device = tx.device(author.device)
        assert device is not None
        assert device.chain is not None
        body = commits.encode(one)
        assert commits.decode_stored(body) is None
        links = chain.extend_chain(device.chain, [body])
        seal = chain.sign_chain(author.key, one.seq, links[0][1])
        tx.append_commits(author.device, LoggedCommit.from_commits([one], [body], links), seal)
        tx.quarantine_commit(
            author.device, one.seq, errors.IllegalValue(type=one.type, field="location", reason="not_text")
        )
    return one.seq


@pytest.mark.parametrize("by_stick", [False, True])
def test_an_undecodable_commit_logged_by_0_1_stops_nothing(tmp_path: Path, by_stick: bool) -> None:
    """A branch of 0.1 logged such a commit: after the update its syncs, bundles, `check` and `history` work and report it."""
    tree = Tree()
    try:
        amal, jbl, hq = (tree.nodes[name] for name in ("amal", "jbl", "hq"))
        record = save.add_record(amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
        tree.sync("amal", "jbl")
        hand = HandMade(amal, jbl)
        seq = poisoned(jbl, amal, hand.commit(record=record, fields={"location": [["x"]]}))
        for text in ("by the well", "by the school"):
            assert hand.write({"location": text}, record=record) == ""
        save.add_record(tree.nodes["basim"], "household", Changes(set={"family_name": "سمير"}), unit=JBL)
        tree.sync("basim", "jbl")
        if by_stick:
            tree.carry("jbl", "hq", tmp_path / "up.fieldsync")
        else:
            tree.sync("jbl", "hq")
        for node in (jbl, hq):
            found = check_integrity(node)
            assert found.faults == []
            assert found.listed == [ListedCommit("unreadable", amal.letters, seq)]
            assert len(history.history(node, record.hex())) == 3
            with node.store.read() as tx:
                assert tx.log_head(amal.device) == seq + 2
                (logged,) = tx.commits_behind(amal.device, seq - 1, 1)
                assert (logged.record, logged.author) == (record, "Amal")
                assert canonical_bytes(tx.rows([record])[record].state)
        with hq.store.read() as tx:
            assert [code for _, code, _ in tx.refusals(amal.device)] == ["unreadable"]
        assert directly.differing(jbl, hq) == []
        assert tree.sync("jbl", "hq") == 0
    finally:
        tree.close()


def test_an_older_server_gets_the_commits_before_an_opaque_one(people: Cast) -> None:
    """A headquarters of 0.1 takes no opaque bytes: that device's later commits are held back, others' are not."""
    tree = Tree()
    try:
        amal, jbl, hq = (tree.nodes[name] for name in ("amal", "jbl", "hq"))
        save.add_record(amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
        tree.sync("amal", "jbl")
        hand = HandMade(amal, jbl)
        seq = poisoned(jbl, amal, hand.commit(fields={"location": [["x"]]}))
        save.add_record(tree.nodes["basim"], "household", Changes(set={"family_name": "سمير"}), unit=JBL)
        tree.sync("basim", "jbl")
        talk = directly.Direct(jbl, hq)
        talk.client.protocol = 1
        frames = list(talk.client.commit_frames())
        assert talk.client.sent[amal.device] == seq - 1
        assert talk.client.sent[tree.nodes["basim"].device] == 1
        assert len(frames) >= 2
    finally:
        tree.close()


def test_decodable_commits_sent_as_opaque_are_refused(people: Cast) -> None:
    """A decodable commit has one encoding; oversized opaque ones and duplicate numbers are refused too."""
    hand = HandMade(people.amal, people.hq)
    one = hand.commit(fields={"location": "x"})
    good = messages.decode_message(messages.Commits, hand.payload([one]))
    junk = pack([1, "junk"])
    for opaque in (
        ((1, commits.encode(one)),),
        ((1, junk),),
        ((2, bytes(commits.MAX_BODY + 1)),),
        ((0, junk),),
        ((3, junk),),
    ):
        with pytest.raises(errors.FieldsyncError) as refused:
            hand.take(messages.encode(messages.OpaqueCommits(good.device, good.seal, good.rows, opaque)))
        assert 400 <= refused.value.status < 500
    with people.hq.store.read() as tx:
        assert tx.log_head(people.amal.device) == 0
    alone = messages.OpaqueCommits(good.device, good.seal, b"", ((1, commits.encode(one)),))  # sealed as it should be
    with pytest.raises(errors.BadFrame):
        hand.take(messages.encode(alone))


def test_signed_junk_is_kept_and_never_applied(people: Cast) -> None:
    """Junk signed with Amal's key stays in the log with its reason, and the next commit is accepted."""
    me = people.amal
    bodies = [
        b"",
        b"\xc1",
        pack([1] * 11),
        pack({"a": 1}),
        b"\x91" * 3_000,
        pack([1, me.device, 1, -5, 7, 0, 0, b"x", 0, 0, 0]),
    ]
    links = chain.extend_chain(chain.chain_start(me.device), bodies)
    seal = chain.sign_chain(me.key, len(bodies), links[-1][1])
    hand = HandMade(me, people.hq)
    hand.take(messages.encode(messages.OpaqueCommits(me.device, seal, b"", tuple(enumerate(bodies, 1)))))
    assert hand.write({"family_name": "x"}) == "no_record"
    with people.hq.store.read() as tx:
        told = [code for _, code, _ in tx.refusals(me.device)]
    assert told == ["unreadable"] * 6 + ["no_record"]
    assert [one.what for one in check_integrity(people.hq).listed] == ["unreadable"] * 6
    assert check_integrity(people.hq).ok
    assert queries.status(people.hq).commits.refused == 7
    bundle_sync.pack_reply(people.hq, people.home / "answer", _device(people.hq, me.device))


def _device(node: Node, device: bytes) -> Any:
    with node.store.read() as tx:
        return tx.device(device)


def test_check_lists_values_applied_unjudged_by_0_1(people: Cast) -> None:
    """0.1 applied illegal values under form 999: `check` lists them and leaves them unchanged."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    directly.sync(people.amal, people.hq)
    assert check_integrity(people.hq).listed == []
    hand = HandMade(people.amal, people.hq)
    assert hand.write({"location": 7}, record=record, form=999) == "unknown_form"
    with people.hq.store.write() as tx:
        tx.sql("DELETE FROM refusal")  # as if it had been applied
        tx.sql("DELETE FROM awaited")
    found = check_integrity(people.hq)
    (one,) = found.listed
    assert (one.what, one.seq, one.form, one.fields) == ("unjudged", 2, 999, ["location"])

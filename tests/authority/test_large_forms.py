"""Forms that fit no frame: whole assessments beside the shipped ones, by line and by stick, cut off anywhere, and from liars."""

import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import form_texts, schema_recovery, schema_rollout
from fieldsync.protocol import invites, join_server, sync_once
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import node_setup, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from fieldsync.schema.compatibility import FormChange
from fieldsync.server import administration
from fieldsync.server.publish_schema import publish_schema
from fieldsync.topology import backups
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import Ack, End, Forms, FormText
from tests import cast, directly
from tests.cast import JBL, rows, unlock
from tests.conftest import Cast, Served
from tests.formbook import write
from tests.topology.test_backup import equal
from tests.tree import Tree

TYPES = 8
WORDS = '{ en = "x", ar = "س" }'


def assessment(seed: int, fields: int = 150) -> str:
    """Return a type whose words do not compress: a frame holds no two of them."""
    chance = random.Random(seed)
    head = f'version = 1\nlabel = {WORDS}\nplural = {WORDS}\ntitle = ["q0"]\n'
    asked = [
        f'[fields.q{n}]\ntype = "text"\nmerge = "latest"\nsensitivity = 1\n'
        f'label = {{ en = "{chance.randbytes(100).hex()}", ar = "{chance.randbytes(100).hex()}" }}\n'
        for n in range(fields)
    ]
    return head + "".join(asked)


def many() -> dict[str, str]:
    """Return the shipped forms and several assessments."""
    return load.shipped_texts() | {f"msna_{n}.toml": assessment(n) for n in range(TYPES)}


def reworded(text: str) -> str:
    """Return a form with other words for one question."""
    return text.replace(f"label = {WORDS}", 'label = { en = "Assessment", ar = "تقييم" }', 1)


@pytest.fixture
def large(people: Cast, tmp_path: Path) -> Path:
    """Return a folder of such forms; they are in force at headquarters."""
    folder = write(tmp_path / "large", many())
    publish_schema(people.hq, folder)
    return folder


def in_force(node: Node) -> dict[str, str]:
    """Return the texts of a node's forms."""
    with node.store.read() as tx:
        return form_texts.texts_in_force(tx)


def leftovers(node: Node) -> list[str]:
    """Return what is kept of forms that have not come whole."""
    with node.store.read() as tx:
        return [key for (key,) in tx.sql("SELECT key FROM meta WHERE key LIKE 'forms arriving%'")]


def cuts(sync: Callable[[int], object]) -> int:
    """Have a sync cut off after ever more frames until one is not; return how many were."""
    for cut in range(1, 200):
        try:
            sync(cut)
        except errors.CutOff:
            continue
        return cut - 1
    raise AssertionError


# --- on their way down ------------------------------------------------------------------------------------------------


def test_forms_come_in_many_frames_and_then_only_what_changed(people: Cast, large: Path) -> None:
    """500 kB of forms reach Amal with one sync; of a form that changes afterwards she is sent that one."""
    tally = directly.sync(people.amal, people.hq)
    assert (tally.requests, len(tally.forms)) == (1, TYPES)
    assert in_force(people.amal) == in_force(people.hq)
    assert leftovers(people.amal) == []
    whole = tally.bytes_down
    save.add_record(people.amal, "msna_3", Changes(set={"q0": "x"}), unit=JBL)
    (large / "msna_3.toml").write_text(reworded(assessment(3)))
    publish_schema(people.hq, large)
    tally = directly.sync(people.amal, people.hq)
    assert tally.bytes_down < whole / (TYPES - 2)
    assert [one.type for one in tally.forms] == ["msna_3"]
    assert people.amal.forms == people.hq.forms
    assert directly.sync(people.amal, people.hq).bytes_down < 300
    equal(people.hq, people.amal)


def test_a_sync_cut_within_the_forms_goes_on_from_there(people: Cast, large: Path) -> None:
    """Cut after any frame Amal has her old forms, whole, and what came is not sent again: all in all it costs little more than once."""
    before, sent = in_force(people.amal), 0

    def sync(cut: int) -> None:
        nonlocal sent
        talk = directly.Direct(people.amal, people.hq, 4 + cut % 2)
        try:
            talk.run_sync()
        finally:
            sent += talk.tally.bytes_down
        assert in_force(people.amal) == in_force(people.hq)

    record = save.add_record(people.amal, "household", Changes(set={"location": "x"}), unit=JBL)
    assert cuts(sync) >= 2
    assert in_force(people.amal) != before
    directly.sync(people.samar, people.hq)
    once = directly.sync(people.basim, people.hq).bytes_down
    assert sent < 2 * once  # a frame is lost at each cut
    assert leftovers(people.amal) == []
    directly.sync(people.amal, people.hq)
    equal(people.hq, people.amal)
    assert record in rows(people.hq)


def test_what_came_of_forms_that_were_outdone_is_used_and_the_rest_forgotten(people: Cast, large: Path) -> None:
    """While Amal is cut off one of the forms changes: the others that came count."""
    with pytest.raises(errors.CutOff):
        directly.sync(people.amal, people.hq, cut=5)
    with people.amal.store.read() as tx:
        began = form_texts.held_texts(tx, people.hq.serving_key.device)
    assert began
    for n in range(TYPES):
        (large / f"msna_{n}.toml").write_text(reworded(assessment(n)) if n % 2 else assessment(n))
    publish_schema(people.hq, large)
    directly.sync(people.amal, people.hq)
    assert in_force(people.amal) == in_force(people.hq)
    assert leftovers(people.amal) == []


def test_small_budgets_bring_forms_in_the_end(people: Cast, large: Path) -> None:
    """40 kB a day: no day costs more, and after some days the forms are in force and all is equal."""
    save.add_record(people.hq, "msna_1", Changes(set={"q0": "x"}), unit=JBL)
    days = 0
    while people.amal.forms != people.hq.forms:
        days += 1
        tally = directly.sync(people.amal, people.hq, budget=40_000)
        assert tally.bytes_up + tally.bytes_down <= 40_000
        assert days < 60
    assert days > 5
    directly.sync(people.amal, people.hq)
    equal(people.hq, people.amal)


def test_joining_brings_all_of_them(served: Served, tmp_path: Path) -> None:
    """A new laptop starts with them, over a real line; then a real sync brings it a change."""
    folder = write(tmp_path / "large", many())
    publish_schema(served.hq, folder)
    invite = invites.parse_invite(administration.make_invite(served.hq, "Huda", "caseworker", [JBL]).invite)
    join_server.join_server(invite, tmp_path / "huda", cast.fill)
    huda = cast.open_node(tmp_path / "huda")
    assert in_force(huda) == in_force(served.hq)
    save.add_record(huda, "msna_7", Changes(set={"q0": "x"}))
    (folder / "msna_7.toml").write_text(reworded(assessment(7)))
    publish_schema(served.hq, folder / "msna_7.toml")
    told = sync_once.sync_once(huda)
    assert (told.digest, [one.type for one in told.forms]) == ("equal", ["msna_7"])
    assert told.down.bytes < 100_000
    assert in_force(huda) == in_force(served.hq)
    huda.close()


def test_a_branch_gets_them_by_night_and_hands_them_on(tmp_path: Path) -> None:
    """Jableh syncs at night, cut off once, and Amal with Jableh in the morning; Rima's laptop is below a branch below."""
    tree = Tree()
    try:
        publish_schema(tree.nodes["hq"], write(tmp_path / "large", many()))
        tree.sync("jbl", "hq", cut=5)
        assert leftovers(tree.nodes["jbl"])
        for name, server in (("jbl", "hq"), ("old", "jbl"), ("amal", "jbl"), ("rima", "old")):
            tree.sync(name, server)
            assert in_force(tree.nodes[name]) == in_force(tree.nodes["hq"])
        record = save.add_record(tree.nodes["rima"], "msna_0", Changes(set={"q0": "x"}))
        tree.settle()
        assert record in rows(tree.nodes["hq"])
    finally:
        tree.close()


def test_by_stick_all_comes_that_is_not_known_to_be_there(people: Cast, large: Path, tmp_path: Path) -> None:
    """The answer to a bundle brings all forms; the next one, when one changed, that one."""
    hq, amal = people.hq, people.amal

    def carried(name: str) -> int:
        bundle_sync.pack_bundle(amal, tmp_path / "up.age")
        bundle_sync.unpack_bundle(hq, tmp_path / "up.age")
        (tmp_path / "up.age").unlink()
        with hq.store.read() as tx:
            device = tx.device(amal.device)
        assert device is not None
        told = bundle_sync.pack_reply(hq, tmp_path / name, device)
        bundle_sync.unpack_bundle(amal, tmp_path / name)
        return int(told.bytes)

    save.add_record(amal, "household", Changes(set={"location": "x"}), unit=JBL)
    first = carried("first.age")
    assert in_force(amal) == in_force(hq)
    (large / "msna_5.toml").write_text(reworded(assessment(5)))
    publish_schema(hq, large)
    save.add_record(amal, "msna_5", Changes(set={"q0": "x"}), unit=JBL)
    assert carried("second.age") < first / 3
    assert in_force(amal) == in_force(hq)
    equal(hq, amal)


# --- back up ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lost(people: Cast, tmp_path: Path) -> dict[str, str]:
    """Have headquarters lose forms that Amal has; return their texts."""
    backups.write_backup(people.hq, people.home / "hq.backup")
    publish_schema(people.hq, write(tmp_path / "large", many()))
    directly.sync(people.amal, people.hq)
    texts = in_force(people.hq)
    people.hq.close()
    backups.restore_backup(people.home / "hq.backup", people.home / "hq again", unlock)
    people.hq = cast.open_node(people.home / "hq again", people.clock)
    assert people.hq.forms[:4] < people.amal.forms[:4]
    return texts


def test_restored_headquarters_asks_for_what_it_lacks(people: Cast, lost: dict[str, str]) -> None:
    """Amal tells which forms she has, and sends the texts that the server asks for: cut off anywhere it goes on."""
    directly.sync(people.amal, people.hq)
    sent: list[int] = []

    def sync(_cut: int) -> None:
        talk = directly.Direct(people.amal, people.hq, 10 if sent else 7)
        try:
            talk.run_sync()
        finally:
            sent.append(talk.tally.bytes_up)

    assert cuts(sync) >= 2
    assert in_force(people.hq) == lost
    assert leftovers(people.hq) == []
    assert sum(sent) < 2 * sum(map(len, lost.values()))
    directly.sync(people.amal, people.hq)
    equal(people.hq, people.amal)
    assert directly.sync(people.amal, people.hq).requests == 1


def test_restored_headquarters_gets_them_by_stick(people: Cast, lost: dict[str, str], tmp_path: Path) -> None:
    """A bundle brings all texts beside the claim."""
    directly.sync(people.amal, people.hq)
    save.add_record(people.amal, "household", Changes(set={"location": "x"}), unit=JBL)
    bundle_sync.pack_bundle(people.amal, tmp_path / "up.age")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "up.age")
    assert in_force(people.hq) == lost


# --- one alone --------------------------------------------------------------------------------------------------------


def test_one_file_is_published_alone(people: Cast, large: Path, tmp_path: Path) -> None:
    """Its text alone is given; all others stay as they are, and what is wrong with it is told as of a folder."""
    before = in_force(people.hq)
    alone = tmp_path / "msna_2.toml"
    alone.write_text(reworded(assessment(2)))
    assert publish_schema(people.hq, alone, dry_run=True).changes == [FormChange("msna_2", "words_changed")]
    assert in_force(people.hq) == before
    told = publish_schema(people.hq, alone)
    assert (told.published, [one.type for one in told.changes]) == (True, ["msna_2"])
    now = in_force(people.hq)
    assert {name for name in now if now[name] != before[name]} == {"msna_2.toml", load.PUBLISHED}
    assert publish_schema(people.hq, alone).published is False
    alone.write_text("version = 1\n")
    with pytest.raises(errors.SchemaFaults):
        publish_schema(people.hq, alone)
    other = tmp_path / "forms.xlsx"
    other.write_bytes(b"PK")
    with pytest.raises(errors.BadFile):
        publish_schema(people.hq, other)
    assert in_force(people.hq) == now


def test_there_is_an_end_to_them(people: Cast, tmp_path: Path) -> None:
    """More files than may be are refused where they are published."""
    folder = write(tmp_path / "forms", load.shipped_texts() | {f"t{n}.toml": assessment(n, 1) for n in range(1_000)})
    with pytest.raises(errors.TooLarge):
        publish_schema(people.hq, folder)


# --- liars ------------------------------------------------------------------------------------------------------------


def asking(node: Node, hq: Node) -> SyncClient:
    """Return a laptop's side of a sync that has heard of newer forms."""
    with node.store.read() as tx:
        server = next(one for one in tx.servers() if one.id == hq.serving_key.device)
    client = SyncClient(node, server, SyncTally())
    frame = client.hello()
    assert frame
    take(client, Ack(node.clock(), 0, b"", forms=True))
    return client


def take(client: SyncClient, message: Ack | Forms | End) -> None:
    """Have a client take a message of an answer."""
    kind = {Ack: FrameKind.ACK, Forms: FrameKind.FORMS, End: FrameKind.END}[type(message)]
    client.apply_frame(
        client.read_frame(*FrameCodec().open_frame(FrameCodec().pack_frame(kind, messages.encode(message), large=True)))
    )


def test_a_list_that_names_what_never_comes(people: Cast) -> None:
    """The answer ends without the texts: the old forms stay in force, digests are not compared, and the next hello tells what is there."""
    amal, before = people.amal, in_force(people.amal)
    text = assessment(1).encode()
    for _ in range(3):
        client = asking(amal, people.hq)
        take(client, Forms((FormText("msna.toml", sha256(text).digest(), len(text)),)))
        take(client, Forms((), ((0, 0, text[:1_000]),)))
        take(client, End())
        with amal.store.read() as tx:
            assert client.find_obstacle(tx) == "forms"
    assert client.differing_units() == []
    assert in_force(amal) == before
    hello = messages.decode_message(messages.Hello, FrameCodec().open_frame(client.hello())[1])
    assert hello.forms == ((sha256(text).digest()[:8], 1_000),)
    assert len(leftovers(amal)) == 2
    directly.sync(amal, people.hq)
    equal(people.hq, amal)


def test_a_text_that_is_another_than_was_listed_is_forgotten(people: Cast) -> None:
    """Junk of the right length takes the place of a text: it is thrown away, and the text may come again."""
    amal = people.amal
    text = assessment(1).encode()
    client = asking(amal, people.hq)
    listed = form_texts.list_form_texts(load.shipped_texts() | {"msna.toml": text.decode()})
    place = next(n for n, one in enumerate(listed) if one.name == "msna.toml")
    take(client, Forms(listed))
    take(client, Forms((), ((place, 0, bytes(len(text))),)))
    assert "msna" not in amal.schema.types
    with amal.store.read() as tx:
        assert form_texts.wanted_texts(tx, people.hq.serving_key.device)[0] == (place, 0)
    take(client, Forms((), ((place, 0, text[:9]), (place, 5, text[5:]))))
    assert "msna" in amal.schema.types


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Forms((FormText("a.toml", bytes(32), 9), FormText("a.toml", bytes(32), 9))), errors.BadFrame),
        (Forms((FormText("a.toml", bytes(32), 0),)), errors.BadFrame),
        (Forms((FormText("a.toml", bytes(32), 1 << 40),)), errors.TooLarge),
        (Forms((FormText("a.toml", bytes(31), 9),)), errors.BadFrame),
        (Forms(tuple(FormText(f"{n}", bytes(32), 9) for n in range(1_001))), errors.BadFrame),
        (Forms((FormText("a.toml", bytes(32), 9),), ((1, 0, b"x"),)), errors.BadFrame),
        (Forms((FormText("a.toml", bytes(32), 9),), ((0, 1, b"x"),)), errors.BadFrame),
        (Forms((FormText("a.toml", bytes(32), 9),), ((0, 0, b"x" * 10),)), errors.BadFrame),
    ],
)
def test_lists_and_pieces_that_cannot_be(people: Cast, said: Forms, error: type[Exception]) -> None:
    """Named twice, empty and not empty, a terabyte, too many, of no place, behind a hole, too long: nothing of it is kept."""
    client = asking(people.amal, people.hq)
    with pytest.raises(error):
        take(client, said)
    assert leftovers(people.amal) == []


def test_a_server_keeps_nothing_that_its_headquarters_did_not_sign(people: Cast) -> None:
    """Basim's laptop claims forms that it signed itself, and sends pieces without a claim: not a byte is kept."""
    hq = people.hq
    forged = schema_recovery.sign_forms(many(), 9, people.basim.key)
    unsigned = many() | {load.PUBLISHED: "number = 9\n"}
    for texts in (forged, unsigned, many()):
        listed = form_texts.list_form_texts(texts)
        pieces = tuple((n, 0, texts[one.name].encode()) for n, one in enumerate(listed))
        for said in (Forms(listed, pieces), Forms((), pieces), schema_recovery.forms_claim(texts), Forms((), pieces)):
            with hq.store.write() as tx:
                assert schema_recovery.restore_forms(hq, tx, people.basim.device, said) == ()
            assert leftovers(hq) == []
    assert "msna_0" not in hq.schema.types


def test_one_laptop_s_junk_is_not_another_s(people: Cast, lost: dict[str, str]) -> None:
    """The claim that Basim's laptop repeats is genuine, its texts are not: Amal's forms come in force all the same."""
    hq = people.hq
    claim = schema_recovery.forms_claim(lost)
    assert "msna_0" not in hq.schema.types
    with hq.store.write() as tx:
        asked = schema_recovery.restore_forms(hq, tx, people.basim.device, claim)
        junk = tuple((n, start, bytes(claim.listed[n].size - start - (n % 2))) for n, start in asked)
        schema_recovery.restore_forms(hq, tx, people.basim.device, Forms((), junk))
    assert "msna_0" not in hq.schema.types
    for _ in range(2):
        directly.sync(people.amal, hq)
    assert in_force(hq) == lost


def test_forms_for_a_newer_program_are_sent_once(people: Cast, large: Path) -> None:
    """Amal's program cannot read them: it keeps the texts, and the next sync tells so and brings no text again."""
    texts = in_force(people.hq) | {"msna_0.toml": "colour = 1\n" + assessment(0)}
    with people.hq.store.write() as tx:
        tx.settings.schema_texts, tx.settings.forms = texts, node_setup.forms_mark(texts)
    whole = directly.sync(people.amal, people.hq).bytes_down
    assert people.amal.forms != people.hq.forms
    assert directly.sync(people.amal, people.hq).bytes_down < whole / 20
    with people.hq.store.write() as tx:
        schema_rollout.put_in_force(people.hq, tx, many() | {load.PUBLISHED: "number = 9\n"})
    directly.sync(people.amal, people.hq)
    assert people.amal.forms == people.hq.forms
    assert leftovers(people.amal) == []

"""Forms larger than a frame: sent online and by bundle, interrupted anywhere, and forged."""

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


def test_large_forms_arrive_in_frames_then_only_changes(people: Cast, large: Path) -> None:
    """500 kB of forms reach Amal in one sync; afterwards only a changed form is sent."""
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


def test_an_interrupted_transfer_of_forms_resumes(people: Cast, large: Path) -> None:
    """Interrupted after any frame, Amal keeps her complete old forms, and nothing received is sent again."""
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


def test_received_texts_of_superseded_forms_are_reused(people: Cast, large: Path) -> None:
    """A form changes while Amal is disconnected: the unchanged texts that she already received are used."""
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


def test_forms_arrive_within_small_byte_budgets(people: Cast, large: Path) -> None:
    """At 40 kB a day, no day exceeds the budget, and after some days the forms are in force."""
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


def test_joining_brings_all_forms(served: Served, tmp_path: Path) -> None:
    """A new laptop gets all forms when it joins over a real connection; a later sync brings a change."""
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


def test_a_branch_forwards_large_forms(tmp_path: Path) -> None:
    """Jableh's nightly sync is interrupted once, Amal syncs in the morning, and Rima's laptop is two branches down."""
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


def test_a_bundle_carries_all_forms_not_known_to_be_present(people: Cast, large: Path, tmp_path: Path) -> None:
    """The first answer by bundle carries all forms; the next carries only the changed one."""
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


def test_a_restored_headquarters_requests_missing_forms(people: Cast, lost: dict[str, str]) -> None:
    """Amal lists her forms and sends the texts requested; interrupted anywhere, the transfer resumes."""
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


def test_a_restored_headquarters_gets_forms_by_bundle(people: Cast, lost: dict[str, str], tmp_path: Path) -> None:
    """A bundle carries all texts with the claim."""
    directly.sync(people.amal, people.hq)
    save.add_record(people.amal, "household", Changes(set={"location": "x"}), unit=JBL)
    bundle_sync.pack_bundle(people.amal, tmp_path / "up.age")
    bundle_sync.unpack_bundle(people.hq, tmp_path / "up.age")
    assert in_force(people.hq) == lost


# --- one alone --------------------------------------------------------------------------------------------------------


def test_a_single_form_file_can_be_published(people: Cast, large: Path, tmp_path: Path) -> None:
    """Only the given file changes; its faults are reported as for a folder."""
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


def test_the_number_of_forms_is_limited(people: Cast, tmp_path: Path) -> None:
    """Publishing more files than the limit is refused."""
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


def test_a_form_list_with_missing_texts_changes_nothing(people: Cast) -> None:
    """The answer ends without the texts: old forms stay in force, no digests are compared, the next hello lists what is here."""
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


def test_a_text_with_the_wrong_hash_is_discarded(people: Cast) -> None:
    """Junk of the right length is discarded, and the text is requested again."""
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
def test_malformed_form_lists_and_pieces_are_refused(people: Cast, said: Forms, error: type[Exception]) -> None:
    """Duplicates, wrong sizes, too many entries, unknown positions and gaps: nothing is stored."""
    client = asking(people.amal, people.hq)
    with pytest.raises(error):
        take(client, said)
    assert leftovers(people.amal) == []


def test_forms_not_signed_by_headquarters_are_not_stored(people: Cast) -> None:
    """Basim's laptop claims forms that it signed itself, and sends pieces without a claim: no byte is stored."""
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


def test_a_laptop_s_junk_does_not_block_another_s_forms(people: Cast, lost: dict[str, str]) -> None:
    """Basim's laptop repeats a genuine claim with false texts: Amal's genuine texts still take effect."""
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
    """Amal's older program cannot read them: it keeps the texts, reports this, and the next sync sends none again."""
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

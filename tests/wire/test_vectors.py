"""Frozen vectors: data of any version is read unchanged, and hostile data is still refused."""

from pathlib import Path

import msgspec
import pytest

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core.state import canonical_bytes
from fieldsync.wire import columns, messages, row_batches
from fieldsync.wire.bundle_format import BundleOpener, Manifest
from fieldsync.wire.frames import HEAD, FrameCodec, FrameKind, FrameReader
from tests.wire import expected, frozen
from tests.wire.test_columns import exact

HOSTILE = sorted(path.stem for path in frozen.FOLDER.glob("hostile-*.hex"))


def content(name: str) -> bytes:
    """Return a vector's bytes."""
    lines = Path(frozen.FOLDER / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def test_frozen_commits_keep_their_hashes() -> None:
    """The signed bytes; any change would break every existing chain."""
    for name, commit in (
        ("commit-add", frozen.ADD),
        ("commit-edit", frozen.EDIT),
        ("commit-deletion", frozen.DELETION),
    ):
        assert commits.decode_commit(content(name)) == commit
        assert commits.encode(commit) == content(name)


def test_frozen_payloads_are_read_unchanged() -> None:
    """Columns of commits give the same bytes, columns of states the same registers."""
    assert row_batches.unpack_commits(content("commits-payload")) == [frozen.ADD, frozen.EDIT]
    found = row_batches.unpack_states(content("states-payload"))
    assert [canonical_bytes(state) for state in found] == [canonical_bytes(state) for state in frozen.STATES]
    assert found[1].origins == {"risk": "medium"}
    (case,) = row_batches.unpack_states(content("states-contexts"))
    assert case.fields == frozen.CONTEXTS.fields
    assert [len(register.contexts) for register in case.fields.values()] == [3, 2, 1]


@pytest.mark.parametrize("name", frozen.VALUES)
def test_frozen_columns_are_read_unchanged(name: str) -> None:
    """Each encoding, its values and their types."""
    values = frozen.VALUES[name]
    assert exact(columns.decode_column(content(f"column-{name}"), len(values))) == exact(values)


def test_frozen_frames_are_read_unchanged() -> None:
    """Plain and compressed."""
    ((tag, payload, _),) = FrameReader().feed(content("frame-plain"))
    assert FrameCodec().unpack_payload(tag, payload)[0] is FrameKind.END
    _, (tag, payload, whole) = FrameReader().feed(content("frame-parts"))
    assert messages.decode_message(messages.End, payload).channels == (messages.Summary("LAT/JBL", 12, 7, 2),)
    assert (FrameKind(tag), content("frame-parts").endswith(whole)) == (FrameKind.END, True)
    ((tag, payload, _),) = FrameReader().feed(content("frame-zstd"))
    assert FrameCodec().unpack_payload(tag, payload) == (FrameKind.STATES, b"fieldsync " * 60)


@pytest.mark.parametrize("message", frozen.MESSAGES, ids=lambda one: type(one).__name__)
def test_frozen_messages_are_read_unchanged(message: msgspec.Struct) -> None:
    """With every field filled, so that none can change unnoticed."""
    raw = content(f"message-{type(message).__name__.lower()}")
    assert messages.decode_message(type(message), raw) == message
    if type(message) in map(type, frozen.GROWN):
        return
    assert messages.encode(message) == raw
    for field in msgspec.structs.fields(message):
        assert getattr(message, field.name) != field.default, field.name


@pytest.mark.parametrize("message", frozen.GROWN, ids=lambda one: type(one).__name__)
def test_frozen_extended_messages_are_read_unchanged(message: msgspec.Struct) -> None:
    """As 0.2 writes them, with every field filled."""
    raw = content(f"message-{type(message).__name__.lower()}-2")
    assert messages.decode_message(type(message), raw) == message
    assert messages.encode(message) == raw
    for field in msgspec.structs.fields(message):
        assert getattr(message, field.name) != field.default, field.name


def test_every_message_has_a_vector() -> None:
    """Except those that only occur within others."""
    within = {
        messages.Enrolment,
        messages.Summary,
        messages.Range,
        messages.Former,
        messages.FormText,
        messages.SignedReceipt,
        messages.Reserved,
        messages.NodeReport,
        messages.ReportBelow,
    }
    kinds = {kind for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}
    assert kinds - within == {type(one) for one in frozen.MESSAGES}


def opened(raw: bytes, step: int) -> tuple[Manifest, list[tuple[FrameKind, bytes]]]:
    """Read a bundle's content, so many bytes at a time."""
    seen: list[Manifest] = []
    opener = BundleOpener(seen.append)
    frames = [
        FrameCodec().unpack_payload(tag, payload)
        for at in range(0, len(raw), step)
        for tag, payload in opener.feed(raw[at : at + step])
    ]
    assert seen == [opener.finish()]
    return seen[0], frames


def packed(manifest: Manifest, expected: Manifest) -> Manifest:
    """Return what a manifest should be, around the frames that it has: their messages have grown since."""
    assert len(manifest.frames) == len(expected.frames)
    return msgspec.structs.replace(expected, frames=manifest.frames)


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_frozen_bundles_are_read_unchanged(step: int) -> None:
    """The manifest, its sender, and frames as online, in any chunks."""
    manifest, ((_, hello), (kind, payload)) = opened(content("bundle-up"), step)
    assert (manifest, manifest.sender) == (packed(manifest, frozen._up()[0]), frozen.LAPTOP.device)
    assert messages.decode_message(messages.Hello, hello).cursors == (("LAT/JBL", 9, 9),)
    sent = messages.decode_message(messages.Commits, payload)
    assert (kind, row_batches.unpack_commits(sent.rows)) == (FrameKind.COMMITS, frozen.PACKED)
    manifest, _ = opened(content("bundle-heard"), step)
    assert packed(manifest, manifest) == msgspec.structs.replace(packed(manifest, frozen._up()[0]), heard=frozen.AT - 1)
    manifest, _ = opened(content("bundle-reserved"), step)
    assert (manifest.protocol, manifest.reserved) == (2, (frozen.PIECE,))
    manifest, frames = opened(content("bundle-branch"), step)
    assert (manifest, manifest.sender) == (packed(manifest, frozen._branch()[0]), frozen.SERVER.device)
    assert [kind for kind, _ in frames] == [FrameKind.HELLO, FrameKind.PEER, FrameKind.COMMITS, FrameKind.PEER]
    assert messages.decode_message(messages.Peer, frames[1][1]).devices[0].person == "أمل"
    assert messages.decode_message(messages.Peer, frames[3][1]).mark == (b"epoch-id", 1, 1)
    manifest, frames = opened(content("bundle-down"), step)
    assert (manifest, manifest.sender) == (packed(manifest, frozen._down()[0]), frozen.SERVER.device)
    assert [kind for kind, _ in frames] == [FrameKind.ACK, FrameKind.STATES, FrameKind.END]
    assert row_batches.count_states(messages.decode_message(messages.States, frames[1][1]).rows) == 2


def read(name: str, raw: bytes) -> None:
    """Read a vector as what its name says."""
    if name.startswith("hostile-commit"):
        commits.decode_commit(raw)
    elif name.startswith("hostile-column"):
        columns.decode_column(raw, 9)
    elif name.startswith("hostile-bundle"):
        opened(raw, 11)
    else:
        list(FrameReader().feed(raw))
        FrameCodec().unpack_payload(raw[0], raw[HEAD:])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_vectors_are_refused(name: str) -> None:
    """Each with an error of ours."""
    with pytest.raises(errors.FieldsyncError):
        read(name, content(name))


def test_every_vector_is_tested_and_described() -> None:
    """No vector is unread or missing."""
    assert sorted(path.stem for path in frozen.FOLDER.glob("*.hex")) == sorted(
        frozen.good() | frozen.hostile() | frozen.OLD
    )
    assert all(path.read_text(encoding="utf-8").startswith("# ") for path in frozen.FOLDER.glob("*.hex"))
    assert len(HOSTILE) == len(frozen.hostile())


def test_the_expected_values_are_exported() -> None:
    """expected.json has this program's reading; the bundle in an age file is the one beside it."""
    assert expected.FILE.read_text(encoding="utf-8") == expected.text()
    assert expected.sealed() == content("bundle-up")

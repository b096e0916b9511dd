"""Writes the frozen vectors anew: `python -m tests.wire.frozen`, only ever with a new version of a format beside the old.

A vector is a file of hexadecimal digits; lines that begin with # say what it holds and what a reader makes of it.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from fieldsync.core import codes
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.deletion import deletion_value
from fieldsync.core.register import Head, Register, build_register
from fieldsync.core.state import Base, State, join_states
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.wire import bundle_format, columns, messages, row_batches
from fieldsync.wire.bundle_format import CarriedCommits, EarlierCommits, Manifest
from fieldsync.wire.frames import COMPRESSED, MAX_COMPRESSED, PART, FrameCodec, FrameKind
from fieldsync.wire.node_reports import NodeReport, ReportBelow

FOLDER = Path(__file__).with_name("vectors")
AMAL, BASIM, SAMAR = (bytes([n]) * 16 for n in (0xA1, 0xB2, 0xC3))
FAMILY, CASE = (bytes.fromhex(f"019a3f5c7b0070008000000000000{n:03d}") for n in (1, 2))

ADD = Commit(
    1, AMAL, 1, 117545849856000000, "Amal", "household", 1, FAMILY, None,
    {"_code": "JBL-B-1-S5", "_unit": "LAT/JBL", "family_name": "محمد أحمد", "groups": ["idp", "orphan"], "size_stated": 7}, (),
)  # fmt: skip
EDIT = Commit(
    1, AMAL, 2, 117545849856000001, "Amal", "household", 1, FAMILY, "زيارة", {"groups/idp": False, "location": "007", "size_stated": None},
    ((("groups/idp", "size_stated"), ((AMAL, 1),)), (("location",), ((AMAL, 1), (BASIM, 4)))),
)  # fmt: skip
STATES = [
    state_of(ADD),
    State(CASE, "case", Base(BASIM, 3, 9, "Basim"), {"_code": "JBL-C-2-00", "concerns": ["neglect"]}, {
        "risk": Register((Head(AMAL, 5, 10, "Amal", "high"), Head(BASIM, 4, 11, "Basim", "low")), {AMAL: 5, BASIM: 4}),
        "reopen_count/" + SAMAR.hex(): Register((Head(SAMAR, 1, 12, "سمر", 2),), {SAMAR: 1}),
        "opened_on": Register((Head(SAMAR, 2, 13, "سمر", None),), {SAMAR: 2, BASIM: 3}),
    }, {"risk": "medium"}),
]  # fmt: skip
_HEADS = [
    Head(device, 5, 10 + i, "Amal", value)
    for i, (device, value) in enumerate(((AMAL, "high"), (BASIM, "low"), (SAMAR, "none")))
]
CONTEXTS = State(CASE, "case", None, {}, {
    "risk": build_register(zip(_HEADS, ({}, {AMAL: 3, FAMILY: 9}, {FAMILY: 9}), strict=True), {AMAL: 5, BASIM: 5, SAMAR: 5, FAMILY: 9}),
    "worker": build_register(zip(_HEADS[:2], (None, {}), strict=True), {AMAL: 5, BASIM: 5}),
    "team": build_register([(_HEADS[0], {BASIM: 2})], {AMAL: 5, BASIM: 4}),
}, {"risk": None, "worker": None, "team": None})  # fmt: skip
"""The usual context and others, one that is shorter than what it leaves out, one that is not known, a lone head's."""
DELETION = Commit(
    1, AMAL, 3, 117545849856000002, "Amal", "household", 1, FAMILY, None,
    {"_deleted": deletion_value("moved", join_states(state_of(ADD), state_of(EDIT))[0], ["019a3f5c-7b00-7000-8000-000000000002"])}, (),
)  # fmt: skip
VALUES = {
    "integers": [5, 900, -3, 1 << 62], "steps": [10, 11, 12, 13], "decimals": [0.5, -1.25, 33.3], "digits": ["2026-01-02", "1999-12-31"],
    "choices": ["idp", "host"] * 4, "words": ["محمد أحمد", "أحمد محمد"] * 2 + ["محمد محمد", "أحمد أحمد"] * 2 + ["محمد", "أحمد", "محمد أحمد محمد"],
    "texts": ["007", "7", "", "a b"], "raw": [1, 1.0, True, None, "1", -0.0, "a\0b\nc"], "nullable": [None, "x", None], "constant": [7, 7, 7],
    "codes": [codes.make_code("LAT/JBL", "B", n) for n in (1, 2, 40)],
}  # fmt: skip


AT = 1_793_607_300_000
RANGE = messages.Range(bytes(16), b"\xff" * 16, 3, 1 << 63)
SAID = messages.Enrolment(
    AMAL, b"k" * 32, "AK", "أمل", (("LAT/JBL", "caseworker"),), "enrolled", AT, AT + 1, copy_of=BASIM, copied_after=7
)
MESSAGES: tuple[msgspec.Struct, ...] = (
    messages.Hello(
        1, b"d" * 8, AT, 7, b"g" * 4, (("LAT/JBL", 12, 9),), True, 2, 3, b"s" * 8, b"u" * 4, 4, 5, 6, 65_536, (("LAT/JBL", 9, 12),),
        b"epoch-id", 7, 8, 9,
    ),
    messages.Commits(AMAL, b"seal", b"rows"),
    messages.OpaqueCommits(AMAL, b"seal", b"rows", ((8, b"\x91\x91\xa1x"),)),
    messages.Ack(
        AT, 7, b"c" * 8, ((3, "unit_refused", '{"unit":"LAT/QRD"}'), (4, "", "")), (("LAT/JBL", "caseworker"),),
        ((2, BASIM, "BK", "باسم", ("LAT/JBL", "LAT/QRD")),), 5, ((1, SAMAR, 7, AT),), ((SAMAR, "HQ", "https://hq", b"p" * 32, "age1"),),
        {"person.toml": "version = 1"}, b"epoch-id", ((1, BASIM, 2, 3, -60_000),), 6, (FAMILY,), True,
    ),
    messages.Peer(
        (SAID,), 1, ((AMAL, 7, b"h" * 32),), ((BASIM, 3, "unit_refused", "{}"),), 2, ((3, AMAL, SAMAR, 7, AT),), ((BASIM, 2, 3, 60_000),),
        (b"epoch-id", 4, 5), ((AMAL, 5, 7, b"h" * 32),),
    ),
    messages.States("LAT/JBL", 12, b"rows", (CASE,)),
    messages.End((messages.Summary("LAT/JBL", 12, 1 << 63, 2),), True, (("LAT/JBL", 9, 12),)),
    messages.Ask("LAT/JBL", (RANGE,), (FAMILY, CASE)),
    messages.Found("LAT/JBL", (RANGE,), ((FAMILY, 1 << 63),), (RANGE,), ((AMAL, 5),)),
    messages.JoinRequest(1, b"invite", b"secret", b"k" * 32, b"s" * 64, "age1", "AK"),
    messages.JoinAnswer(
        "Org", SAMAR, "HQ", "AK", "أمل", (("LAT/JBL", "caseworker"),), b"nonce", AT, {"person.toml": "version = 1"}, 600, "age1"
    ),
    messages.RenewRequest(b"k" * 32, b"o" * 64, b"n" * 64, ((7, b"c" * 8),)),
    messages.RenewAnswer("AL", 7, b"nonce", AT),
    messages.Forms((messages.FormText("visit.toml", b"h" * 32, 12),), ((0, 0, b"version = 1\n"),)),
)  # fmt: skip


REPORT = NodeReport("0.2.0", 9_000, AT, "disk_full", AT + 1, "store_damaged", 3, 2, (("forms", AT),))
PIECE = messages.Reserved(9, SAMAR, b"register/1", b"unread")
# messages that have grown since 0.1, with all that they may have now
GROWN: tuple[msgspec.Struct, ...] = (
    msgspec.structs.replace(
        next(one for one in MESSAGES if isinstance(one, messages.Hello)),
        protocol=2,
        reserved=(PIECE,),
        reserved_told=9,
        answers=11,
        forms=((b"shorthsh", 4_096),),
        units=b"unit",
        report=REPORT,
        register=(2, 41, AT),
    ),
    msgspec.structs.replace(
        next(one for one in MESSAGES if isinstance(one, messages.Ack)),
        pending=True,
        reserved=(PIECE,),
        reserved_taken=9,
        answers=12,
        forms=True,
        lacked=((1, 4_096),),
        units=("LAT", "LAT/JBL"),
    ),
    msgspec.structs.replace(
        next(one for one in MESSAGES if isinstance(one, messages.Peer)),
        devices=(
            msgspec.structs.replace(
                SAID, pending=True, approved=AT, spared=AT, enrolled_by=SAMAR, number=1, until=AT, since=AT
            ),
        ),
        taken=(messages.SignedReceipt(AMAL, 1, 7, b"h" * 32, AT, 1, SAMAR, b"s" * 64),),
        former=(messages.Former(b"k" * 32, AMAL, "AK", b"s" * 64),),
        reports=(ReportBelow(5, AMAL, AT, -60_000, REPORT), ReportBelow(6, BASIM, AT, 0)),
        reported=6,
    ),
    messages.States("LAT/JBL", 12, b"rows", (CASE,), (FAMILY,)),
    msgspec.structs.replace(
        next(one for one in MESSAGES if isinstance(one, messages.JoinAnswer)), schema={}, forms=True
    ),
    msgspec.structs.replace(
        next(one for one in MESSAGES if isinstance(one, messages.Found)), refused=((FAMILY, BASIM, 5),)
    ),
)


OLD = dict.fromkeys(f"message-{type(one).__name__.lower()}" for one in GROWN)
"""The vectors that 0.1 wrote and nothing writes any more: they are read as ever."""


LAPTOP, SERVER = (DeviceKey.from_bytes(bytes([n]) * 32) for n in (0xA1, 0x5E))
PACKED = [msgspec.structs.replace(one, device=LAPTOP.device, context=()) for one in (ADD, EDIT)]


def _up() -> tuple[Manifest, list[bytes]]:
    start = chain.chain_start(LAPTOP.device)
    head = chain.extend_chain(start, map(commits.encode, PACKED))[-1][1]
    hello = messages.Hello(1, b"", 1_793_607_300_000, 2, b"\1\2\3\4", (("LAT/JBL", 9, 9),))
    sent = messages.Commits(LAPTOP.device, chain.sign_chain(LAPTOP, 2, head), row_batches.pack_commits(PACKED))
    codec = FrameCodec()
    frames = [
        codec.pack_frame(FrameKind.HELLO, messages.encode(hello)),
        codec.pack_frame(FrameKind.COMMITS, messages.encode(sent)),
    ]
    carried = CarriedCommits(LAPTOP.device, 0, start, 2, head)
    manifest = Manifest(
        1, bytes(range(16)), 3, True, LAPTOP.public, (SERVER.device,), 1_793_607_300_000, (carried,),
        (EarlierCommits(1, LAPTOP.device, 0, 1), EarlierCommits(2, LAPTOP.device, 0, 2)), (), 2, 0, tuple(sha256(frame).digest() for frame in frames),
    )  # fmt: skip
    return manifest, frames


def _down() -> tuple[Manifest, list[bytes]]:
    codec = FrameCodec()
    frames = [
        codec.pack_frame(FrameKind.ACK, messages.encode(messages.Ack(1_793_607_300_000, 2, bytes(8)))),
        codec.pack_frame(
            FrameKind.STATES, messages.encode(messages.States("LAT/JBL", 12, row_batches.pack_states(STATES)))
        ),
        codec.pack_frame(FrameKind.END, messages.encode(messages.End((messages.Summary("LAT/JBL", 12, 7, 2),)))),
    ]
    manifest = Manifest(
        1, bytes(range(16, 32)), 1, False, SERVER.public, (LAPTOP.device,), 1_793_607_300_000, (), (), (("LAT/JBL", 9, 9),), 0, 2,
        tuple(sha256(frame).digest() for frame in frames),
    )  # fmt: skip
    return manifest, frames


def _branch() -> tuple[Manifest, list[bytes]]:
    """A branch's bundle: that the laptop is enrolled, its commits in its own frame, that its clock was off."""
    manifest, (hello, sent) = _up()
    said = messages.Enrolment(LAPTOP.device, LAPTOP.public, "AK", "أمل", (("LAT/JBL", "caseworker"),), "enrolled", 5, 5)
    told = [
        messages.Peer((said,), mark=(b"epoch-id", 1, 0)),
        messages.Peer(clocks=((LAPTOP.device, 1, 2, 9),), mark=(b"epoch-id", 1, 1)),
    ]
    first, last = (FrameCodec().pack_frame(FrameKind.PEER, messages.encode(peer)) for peer in told)
    frames = [hello, first, sent, last]
    hashes = tuple(sha256(frame).digest() for frame in frames)
    return msgspec.structs.replace(manifest, key=SERVER.public, to=(bytes(16),), frames=hashes), frames


def _bundle(manifest: Manifest, inside: list[bytes], key: DeviceKey = LAPTOP, **changes: Any) -> bytes:
    return bundle_format.bundle_head(msgspec.structs.replace(manifest, **changes), key) + b"".join(inside)


def _parts() -> list[bytes]:
    end = messages.encode(messages.End((messages.Summary("LAT/JBL", 12, 7, 2),)))
    pieces = [(PART, end[:5]), (PART, end[5:9]), (FrameKind.END, end[9:])]
    return [
        FrameCodec().pack_frame(FrameKind.ACK, messages.encode(messages.Ack(1_793_607_300_000, 2, bytes(8)))),
        *(bytes((tag,)) + len(piece).to_bytes(4, "big") + piece for tag, piece in pieces),
    ]


def _column(tag: int, content: object) -> bytes:
    return bytes([tag]) + msgspec.msgpack.encode(content)


def good() -> dict[str, tuple[str, bytes]]:
    """Return name → (what it holds, bytes) of the vectors that are read."""
    made = {
        "commit-add": ("a commit that makes a household", commits.encode(ADD)),
        "commit-edit": ("a commit that changes it: a member dropped, a field emptied, a note", commits.encode(EDIT)),
        "commits-payload": ("both of them as columns", row_batches.pack_commits([ADD, EDIT])),
        "states-payload": (
            "a household as made; a case with a conflict, a tally and an emptied field",
            row_batches.pack_states(STATES),
        ),
        "states-contexts": (
            "a case's three conflicts, whose heads have contexts of their own",
            row_batches.pack_states([CONTEXTS]),
        ),
        "commit-deletion": ("a removal, with what it had seen of each register", commits.encode(DELETION)),
        "frame-plain": (
            "an END frame, not compressed",
            FrameCodec().pack_frame(FrameKind.END, messages.encode(messages.End())),
        ),
        "frame-parts": ("an ACK frame, and an END frame in three parts", b"".join(_parts())),
        "frame-zstd": (
            "a STATES frame, compressed without a dictionary",
            FrameCodec().pack_frame(FrameKind.STATES, b"fieldsync " * 60),
        ),
    }
    made |= {
        "bundle-up": ("what is in a bundle of two commits", _bundle(*_up())),
        "bundle-reserved": (
            "a bundle of 0.2 with a reserved piece",
            _bundle(*_up(), heard=AT - 1, protocol=2, reserved=(PIECE,)),
        ),
        "bundle-heard": ("a bundle whose sender had heard a server's time", _bundle(*_up(), heard=AT - 1)),
        "bundle-branch": ("what is in a branch's bundle", _bundle(*_branch(), key=SERVER)),
        "bundle-down": ("what is in an answer to it", _bundle(*_down(), key=SERVER)),
    }
    made |= {
        f"message-{type(one).__name__.lower()}": (f"a {type(one).__name__}, all of it", messages.encode(one))
        for one in MESSAGES
        if type(one) not in map(type, GROWN)
    }
    made |= {
        f"message-{type(one).__name__.lower()}-2": (f"a {type(one).__name__} of 0.2, all of it", messages.encode(one))
        for one in GROWN
    }
    return made | {f"column-{name}": (f"{values!a}", columns.encode_column(values)) for name, values in VALUES.items()}  # type: ignore[arg-type]


def hostile() -> dict[str, tuple[str, bytes]]:
    """Return name → (what it tries, bytes) of the vectors that are refused."""
    bomb = zstandard.ZstdCompressor(level=3, write_content_size=False).compress(bytes(64 << 20))
    encoded = commits.encode(ADD)
    up, (hello, sent) = _up()
    good_one = _bundle(up, [hello, sent])
    return {
        "hostile-bundle-cut": ("a frame is missing", _bundle(up, [hello])),
        "hostile-bundle-more": ("a frame that the manifest does not list", _bundle(up, [hello, sent, sent])),
        "hostile-bundle-order": ("frames exchanged", _bundle(up, [sent, hello])),
        "hostile-bundle-torn": ("an unfinished frame behind the last one", good_one + hello[:7]),
        "hostile-bundle-signer": ("signed by another key than its manifest names", _bundle(up, [hello, sent], SERVER)),
        "hostile-bundle-flipped": (
            "a bit of the manifest flipped",
            good_one[:60] + bytes([good_one[60] ^ 1]) + good_one[61:],
        ),
        "hostile-bundle-version": ("a manifest of version 2", _bundle(up, [hello, sent], version=2)),
        "hostile-bundle-words": ("first words of version 2", good_one.replace(b"bundle 1\n", b"bundle 2\n", 1)),
        "hostile-bundle-long": ("a manifest of 4 GiB", bundle_format.MAGIC + b"\xff" * 4 + good_one[23:]),
        "hostile-bundle-nobody": ("for nobody", _bundle(up, [hello, sent], to=())),
        "hostile-bundle-hash": (
            "a frame's hash of 31 bytes",
            _bundle(up, [hello, sent], frames=(up.frames[0], bytes(31))),
        ),
        "hostile-bundle-other": ("no bundle", b"age-encryption.org/v1\n" + good_one),
        "hostile-frame-bomb": (
            "64 MiB of zeros in one compressed frame",
            bytes([FrameKind.STATES | COMPRESSED]) + len(bomb).to_bytes(4, "big") + bomb,
        ),
        "hostile-frame-long": (
            "a frame that says it is longer than any may be",
            bytes([FrameKind.STATES]) + (MAX_COMPRESSED + 1).to_bytes(4, "big"),
        ),
        "hostile-frame-kind": ("a frame of no known kind", b"\x7f\0\0\0\0"),
        "hostile-commit-spelling": (
            "the sequence number in two bytes instead of one",
            encoded.replace(b"\x01\xcf", b"\xcc\x01\xcf", 1),
        ),
        "hostile-commit-trailing": ("a byte behind the commit", encoded + b"\0"),
        "hostile-commit-nan": (
            "a value that is no number",
            commits.encode(msgspec.structs.replace(ADD, fields={"a": float("nan")})),
        ),
        "hostile-commit-order": (
            "fields out of order",
            commits.encode(msgspec.structs.replace(ADD, fields={"b": 1, "a": 2})),
        ),
        "hostile-commit-deep": ("100 lists in each other", encoded[:-1] + b"\x91" * 100 + b"\xc0"),
        "hostile-column-power": (
            "decimals with 2^40 places",
            _column(columns.DECIMALS, (1 << 40, _column(columns.CONST, 1))),
        ),
        "hostile-column-words": (
            "a million words of 100 letters",
            _column(columns.WORDS, (["x" * 100], 1 << 20, _column(columns.CONST, 0))),
        ),
        "hostile-column-planes": ("a plane that is not there", _column(columns.INTEGERS, (0, 0, 0, 8, b""))),
        "hostile-column-mask": (
            "a mask of bytes other than 0 and 1",
            _column(columns.NULLABLE, (b"\xff" * 9, _column(columns.RAW, []))),
        ),
    }


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, (what, content) in (good() | hostile()).items():
        digits = content.hex()
        lines = [digits[i : i + 96] for i in range(0, len(digits), 96)]
        (FOLDER / f"{name}.hex").write_text("\n".join([f"# {what}", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

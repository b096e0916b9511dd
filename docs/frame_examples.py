"""The worked examples of frames and their messages: docs/formats/frames.md and messages.md."""

import hashlib

import msgspec

from docs import anatomy
from docs.examples import ADD, AMAL, BASIM, EDIT, AT, FIELDS, conflict, example, hello
from fieldsync.core import commit as commits
from fieldsync.core.grants import Grant, grants_hash
from fieldsync.core.state import digest_term
from fieldsync.crypto import chain
from fieldsync.replica import node_setup
from fieldsync.schema import load
from fieldsync.topology import known_units, upstream
from fieldsync.wire import messages, row_batches
from fieldsync.wire.frames import FrameCodec, FrameKind


def _frame(kind: FrameKind, message: msgspec.Struct, labels: dict[anatomy.Path, anatomy.Label] | None = None) -> str:
    payload = messages.encode(message)
    frame = bytes((kind,)) + len(payload).to_bytes(4, "big") + payload
    assert FrameCodec().open_frame(frame) == (kind, payload)
    named: dict[anatomy.Path, anatomy.Label] = {(i,): name for i, name in enumerate(message.__struct_fields__)}
    head = anatomy.dump((frame[:1], f"kind {kind.value}: {kind.name}"), (frame[1:5], f"{len(payload)} bytes follow"))
    return f"{head}\n{anatomy.msgpack(payload, named | (labels or {}))}"


@example("frame-hello")
def frame_hello() -> str:
    return _frame(FrameKind.HELLO, hello())


@example("frame-ack")
def frame_ack() -> str:
    _, (_, chain2) = chain.extend_chain(chain.chain_start(AMAL.device), [commits.encode(ADD), commits.encode(EDIT)])
    return _frame(FrameKind.ACK, messages.Ack(AT, 2, chain2[:8], ((2, "unit_refused", '{"unit":"HOM"}'),)))


@example("frame-commits")
def frame_commits() -> str:
    links = chain.extend_chain(chain.chain_start(AMAL.device), [commits.encode(ADD), commits.encode(EDIT)])
    seal = chain.sign_chain(AMAL, 2, links[-1][1])
    return _frame(FrameKind.COMMITS, messages.Commits(AMAL.device, seal, row_batches.pack_commits([ADD, EDIT])))


@example("frame-states")
def frame_states() -> str:
    state = conflict()._replace(origins={"location": "جبلة"})
    return _frame(FrameKind.STATES, messages.States("LAT/JBL", 12, row_batches.pack_states([state])))


_FORMS = {
    "choices.toml": """[needs]
food = { en = "Food", ar = "غذاء" }
cash = { en = "Cash", ar = "نقد" }
""",
    "published.toml": "number = 3\n",
    "visit.toml": """version = 1
label = { en = "Visit", ar = "زيارة" }
plural = { en = "Visits", ar = "زيارات" }

[fields.day]
type = "date"
merge = "review"
sensitivity = 1
label = { en = "Day", ar = "اليوم" }

[fields.needs]
type = "choice"
merge = "set"
sensitivity = 1
choices = "needs"
label = { en = "Needs", ar = "الاحتياجات" }
""",
}
"""A small organisation's forms."""


@example("dictionary")
def dictionary() -> str:
    made = load.load_texts(_FORMS, published=True).compression_dictionary()
    words = made.decode().split("\n")
    shown = "\n".join(f"-- {name}\n{text}" for name, text in _FORMS.items())
    return f"{shown}\n-- the dictionary, {len(made)} bytes\n" + anatomy.dump(
        *((f"{word}\n".encode() if n < len(words) - 1 else word.encode(), word) for n, word in enumerate(words)),
        (FrameCodec.dictionary_id(made), "→ its id, in HELLO"),
    )


@example("hashes")
def hashes() -> str:
    grants = (Grant("LAT/JBL", "caseworker"), Grant("LAT/QRD", "supervisor"))
    servers = ((BASIM.device, "HQ", "https://hq.example:8443", bytes(range(32)), "age1…"),)
    units = ("LAT", "LAT/JBL")
    text = msgspec.json.encode(_FORMS, order="sorted")
    mark = node_setup.forms_mark(_FORMS)
    assert mark[4:] == hashlib.sha256(text).digest()[:4]
    return "\n".join([
        "grants, as MessagePack", anatomy.msgpack(messages.encode(grants)), anatomy.dump((grants_hash(grants), "→ grants")), "",
        "servers, as MessagePack", anatomy.msgpack(messages.encode(servers)), anatomy.dump((upstream.servers_hash(servers), "→ servers")), "",
        "the forms of the dictionary's example, as JSON", text.decode(), anatomy.dump((mark, "→ schema")), "",
        anatomy.dump(("\n".join(units).encode(), "units: LAT and LAT/JBL"), (known_units.units_hash(units), "→ units")),
    ])  # fmt: skip


@example("frame-end")
def frame_end() -> str:
    return _frame(FrameKind.END, messages.End((messages.Summary("LAT/JBL", 12, digest_term(conflict()), 1),)))


def _pairs(at: anatomy.Path, count: int, total: int) -> dict[anatomy.Path, anatomy.Label]:
    found: dict[anatomy.Path, anatomy.Label] = {
        (*at, 0): "lists",
        (*at, 1): ("length of each", count),
        (*at, 2): "pairs",
    }
    for i, name in enumerate(("device", "seq")):
        found[*at, 3, i] = (name, total)
    return found


def _writes(at: anatomy.Path, count: int) -> dict[anatomy.Path, anatomy.Label]:
    found: dict[anatomy.Path, anatomy.Label] = {(*at, 0): "heads", (*at, 1): "seen"}
    for i, name in enumerate(("device", "seq", "stamp", "author")):
        found[*at, 0, i] = (name, count)
    return found | _pairs((*at, 1), count, 0)


@example("commits-rows")
def commits_rows() -> str:
    labels: dict[anatomy.Path, anatomy.Label] = {
        (0,): "devices", (1,): "authors", (2,): "types", (3,): "body", (3, 0): "format", (3, 1): "commits", (3, 2): "rows",
        (3, 3): ("kinds", 2), (3, 4): "record ids in planes", (3, 5): ("notes", 2), (3, 6): "values", (3, 6, 0): "fields",
        (3, 6, 1): "shapes", (3, 6, 2): ("shape of each row", 2), (3, 6, 3): "columns", (3, 7): ("contexts of each", 2),
        (3, 8): "contexts", (3, 9): "partial",
    }  # fmt: skip
    for i, name in enumerate(FIELDS):
        labels[3, 6, 3, i] = (name, 2 if name == "location" else 1)
    labels |= _writes((3, 2), 2) | _pairs((3, 8), 1, 1)
    payload = row_batches.pack_commits([ADD, EDIT])
    assert row_batches.unpack_commits(payload) == [ADD, EDIT]
    return anatomy.msgpack(payload, labels)


@example("states-rows")
def states_rows() -> str:
    state = conflict()
    labels: dict[anatomy.Path, anatomy.Label] = {
        (0,): "devices", (1,): "authors", (2,): "blocks", (2, 0): "block", (2, 0, 0): "type", (2, 0, 1): "records",
        (2, 0, 2): "record ids in planes", (2, 0, 3): ("has a base", 1), (2, 0, 4): "bases", (2, 0, 5): "values",
        (2, 0, 5, 0): "fields", (2, 0, 5, 1): "shapes", (2, 0, 5, 2): ("shape of each row", 1), (2, 0, 5, 3): "columns",
        (2, 0, 6): ("writes of each", 1), (2, 0, 7): "writes", (2, 0, 8): "fields of each write", (2, 0, 9): "register names",
        (2, 0, 10): "their values", (2, 0, 11): "forked", (2, 0, 11, 0): "one forked register", (2, 0, 11, 0, 0): "row",
        (2, 0, 11, 0, 1): "register", (2, 0, 11, 0, 2): "heads", (2, 0, 11, 0, 3): "seen", (2, 0, 11, 0, 4): "origin",
        (2, 0, 11, 0, 5): "contexts",
    }  # fmt: skip
    labels |= _writes((2, 0, 4), 1) | _writes((2, 0, 7), 0)
    for i, name in enumerate(state.values):
        labels[2, 0, 5, 3, i] = (name, 1)
    payload = row_batches.pack_states([state._replace(origins={"location": "جبلة"})])
    assert row_batches.unpack_states(payload)[0] == state._replace(origins={"location": "جبلة"})
    return anatomy.msgpack(payload, labels)

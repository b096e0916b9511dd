"""The worked examples of docs/formats: made by the code itself, so that they are what the code does."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from docs import anatomy
from fieldsync.wire.protocols import PROTOCOL
from fieldsync.core import codes
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit
from fieldsync.core.edit_context import Editor, covered_heads, edit_context, is_open
from fieldsync.core.register import Context, Value
from fieldsync.core.settle import REVIEW, pack_head
from fieldsync.core.state import State, join_states, register_of, digest_term
from fieldsync.crypto import chain, slots
from fieldsync.crypto.keys import DeviceKey
from fieldsync.store.contract import Row
from fieldsync.trust import entries
from fieldsync.trust.bodies import REVOKE, Kind, Lock
from fieldsync.trust.entries import Entry
from fieldsync.store.sql.row_codec import encode_registers
from fieldsync.topology.device_renewal import renewal_message
from fieldsync.protocol.invites import Invite
from fieldsync.wire import bundle_format, columns, messages, row_batches
from fieldsync.wire.frames import FrameCodec, FrameKind

EXAMPLES: dict[str, Callable[[], str]] = {}
_HERE = Path(__file__).parent

AMAL, BASIM = DeviceKey.from_bytes(bytes(range(32))), DeviceKey.from_bytes(bytes(range(32, 64)))
SAMAR = DeviceKey.from_bytes(bytes(range(64, 96)))
AT = 1_793_607_300_000  # 2026-11-02T08:15:00Z
RECORD = ((AT << 80) | (7 << 76) | (2 << 62) | 0x42).to_bytes(16, "big")
FIELDS: dict[str, Value] = {
    "_code": codes.make_code("LAT/JBL", "B", 1), "_unit": "LAT/JBL", "family_name": "أحمد", "location": "جبلة", "state": "draft",
}  # fmt: skip
ADD = Commit(1, AMAL.device, 1, AT << 16, "أمل", "household", 1, RECORD, None, dict(FIELDS), ())
EDIT = Commit(
    1, AMAL.device, 2, AT + 60_000 << 16, "أمل", "household", 1, RECORD, "visited", {"location": "القرداحة"},
    ((("location",), ((AMAL.device, 1),)),),
)  # fmt: skip
OTHER = Commit(
    1, BASIM.device, 1, AT + 90_000 << 16, "basim", "household", 1, RECORD, None, {"location": "اللاذقية"},
    ((("location",), ((AMAL.device, 1),)),),
)  # fmt: skip


def example(name: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Name an example after its marker on the page."""

    def keep(function: Callable[[], str]) -> Callable[[], str]:
        EXAMPLES[name] = function
        return function

    return keep


def conflict() -> State:
    """Return the state of the record after all three commits: one field in conflict."""
    state = commits.state_of(ADD)
    for commit in (EDIT, OTHER):
        state, _ = join_states(state, commits.state_of(commit))
    return state


# --- commit.md --------------------------------------------------------------------------------------------------------

_COMMIT = ("format", "device", "seq", "stamp", "author", "type", "form", "record", "note", "fields", "context")


def _commit(commit: Commit) -> str:
    labels = {(i,): name for i, name in enumerate(_COMMIT)}
    return anatomy.msgpack(commits.encode(commit), labels)


@example("commit-add")
def commit_add() -> str:
    return _commit(ADD)


@example("commit-edit")
def commit_edit() -> str:
    return _commit(EDIT)


# --- registers.md -----------------------------------------------------------------------------------------------------


@example("open-edit")
def open_edit() -> str:
    register = register_of(conflict(), "location")
    writer = Editor(AMAL.device, bytes, (AMAL.device, 1))
    assert is_open(register, REVIEW, bytes)
    heads = covered_heads(register, REVIEW, writer)
    assert [head.dot for head in heads] == [(AMAL.device, 2)]
    seen = {"location": edit_context(register, heads, writer)}
    edit = msgspec.structs.replace(EDIT, seq=3, stamp=EDIT.stamp + 1, note=None, context=commits.group_contexts(seen))
    return _commit(msgspec.structs.replace(edit, fields={"location": "جبلة"}))


@example("join")
def join_() -> str:
    ours, _ = join_states(commits.state_of(ADD), commits.state_of(EDIT))
    theirs = commits.state_of(OTHER)
    both, changed = join_states(ours, theirs)
    assert (both, changed) == (conflict(), {"location"})
    names = {AMAL.device: "Amal", BASIM.device: "Basim"}

    def told(state: State) -> str:
        heads, seen, contexts = register_of(state, "location")
        shown = contexts or [{one: seq for one, seq in seen.items() if one != heads[0].device}]
        lines = [
            f"  head {names[head.device]}:{head.seq} {head.value}, context {_dots(context or {}, names)}"
            for head, context in zip(heads, shown, strict=True)
        ]
        return "\n".join([*lines, f"  seen {_dots(seen, names)}"])

    terms = f"term {digest_term(ours):016x} becomes {digest_term(both):016x}"
    return "\n".join(["here: location", told(ours), "comes: location", told(theirs), "joined: location", told(both), terms])


def _dots(context: Context, names: Mapping[bytes, str]) -> str:
    return "{" + ", ".join(f"{names[device]}: {seq}" for device, seq in context.items()) + "}"


def _decision(*, undone: bool) -> str:
    heads: Value = [pack_head(head) for head in register_of(conflict(), "location").heads]  # type: ignore[assignment]  # lists in a list
    fields: dict[str, Value] = {"_decided/location": {"heads": heads, "base": "جبلة", "note": "asked them"}, "location": "اللاذقية"}
    seen = {"location": {AMAL.device: 2, BASIM.device: 1}}
    made = Commit(1, SAMAR.device, 1, AT + 120_000 << 16, "samar", "household", 1, RECORD, None, fields, commits.group_contexts(seen))
    if undone:
        back: dict[str, Value] = {"_decided/location": None, "location": {"reopened": heads, "base": "جبلة"}}
        over = {"_decided/location": {SAMAR.device: 1}, "location": {**seen["location"], SAMAR.device: 1}}
        made = msgspec.structs.replace(made, seq=2, stamp=AT + 180_000 << 16, fields=back, context=commits.group_contexts(over))
    return _commit(made)


@example("decision")
def decision() -> str:
    return _decision(undone=False)


@example("undo")
def undo() -> str:
    return _decision(undone=True)


@example("chain")
def chain_() -> str:
    first = chain.chain_start(AMAL.device)
    (hash1, chain1), (hash2, chain2) = chain.extend_chain(first, [commits.encode(ADD), commits.encode(EDIT)])
    seal = chain.sign_chain(AMAL, 2, chain2)
    assert chain.check_seal(AMAL.public, 2, chain2, seal)
    return anatomy.dump(
        (AMAL.to_bytes(), "private key"), (AMAL.public, "public key"), (AMAL.device, "device id"), (first, "chain before commit 1"),
        (hash1, "body hash of commit 1"), (chain1, "chain after commit 1"), (hash2, "body hash of commit 2"),
        (chain2, "chain after commit 2"), (chain.seal_message(AMAL.device, 2, chain2), "what the seal signs"), (seal, "seal"),
    )  # fmt: skip


# --- columns.md -------------------------------------------------------------------------------------------------------

_COLUMNS = {
    "raw": ["a", 1, None, True],
    "const": ["draft", "draft", "draft"],
    "nullable": [None, "x", "x", None],
    "integers": [1000, 1001, 1003, 1004],
    "integers-values": [7, 300, 9, 8],
    "decimals": [1.5, 0.25, 3.0],
    "choices": ["food", "cash", "food", "food"],
    "digits": ["2026-11-02", "2026-11-03"],
    "words": ["أحمد علي", "علي أحمد", "أحمد أحمد", "علي علي علي"],
    "texts": ["جبلة", "القرداحة"],
    "codes": [codes.make_code("LAT/JBL", "B", n) for n in (1, 2, 3)],
}


def _column(name: str) -> Callable[[], str]:
    def show() -> str:
        values = _COLUMNS[name]
        data = columns.encode_column(values)  # type: ignore[arg-type]  # JSON values, all of them
        assert columns.decode_column(data, len(values)) == values
        return f"values: {msgspec.json.encode(values).decode()}\n\n{anatomy.column(data, len(values))}"

    return show


EXAMPLES.update({f"column-{name}": _column(name) for name in _COLUMNS})


def hello() -> messages.Hello:
    return messages.Hello(PROTOCOL, bytes.fromhex("a1b2c3d4"), AT, 2, bytes.fromhex("01020304"), (("LAT/JBL", 9, 9),))


# --- store.md ---------------------------------------------------------------------------------------------------------


@example("registers")
def registers() -> str:
    state = conflict()
    row = Row(1, state, {**state.values, "location": "اللاذقية"}, {"": 1, "location": 3})
    numbers = {AMAL.device: 2, BASIM.device: 3, "أمل": 1, "basim": 2}
    return anatomy.msgpack(encode_registers(row, numbers.__getitem__, numbers.__getitem__))


@example("registers-plain")
def registers_plain() -> str:
    state, _ = join_states(commits.state_of(ADD), commits.state_of(EDIT))
    row = Row(1, state, {**state.values, "location": "القرداحة"}, {"": 1, "location": 2})
    numbers = {AMAL.device: 2, "أمل": 1}
    return anatomy.msgpack(encode_registers(row, numbers.__getitem__, numbers.__getitem__))


@example("term")
def term_() -> str:
    state = conflict()
    assert state.base is not None
    hashed = [
        (state.record, "record id"),
        (state.base.device, "base: device"),
        (state.base.seq.to_bytes(8, "big"), "base: seq"),
    ]
    for name in sorted(state.fields):  # none of them stands as the base left it
        hashed.append((name.encode() + b"\0", f"register {name}"))
        for head in state.fields[name].heads:
            hashed += [(head.device, "head: device"), (head.seq.to_bytes(8, "big"), "head: seq")]
    digest = hashlib.blake2b(b"".join(data for data, _ in hashed), digest_size=8).digest()
    assert int.from_bytes(digest, "big") == digest_term(state)
    return anatomy.dump(*hashed, (digest, "→ the term: BLAKE2b of it, 8 bytes"))


def open_page(page: bytes, number: int, key: bytes, salt: bytes) -> bytes:
    """Return the plain bytes of a 2,048-byte page, as docs/formats/store.md says; ValueError if its HMAC does not hold."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    hmac_key = hashlib.pbkdf2_hmac("sha512", key, bytes(byte ^ 0x3A for byte in salt), 2, 32)
    body = page[16:2000] if number == 1 else page[:2000]
    iv, tag = page[2000:2016], page[2016:]
    if not hmac.compare_digest(tag, hmac.digest(hmac_key, body + iv + number.to_bytes(4, "little"), "sha256")):
        raise ValueError("this page was changed, or the key is another")
    return Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor().update(body)


# --- slots.md ---------------------------------------------------------------------------------------------------------


@example("slots")
def slots_() -> str:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    data = (_HERE.parent / "tests/crypto/slots-1.json").read_bytes()
    file = json.loads(data)
    slot = next(one for one in file["slots"] if one["kind"] == "keyfile")
    salt, nonce, wrapped = (base64.b64decode(slot[name]) for name in ("salt", "nonce", "wrapped"))
    said = {"kind": "keyfile", "nonce": nonce.hex(), "salt": salt.hex(), "store": file["store"], "version": 1}
    bound = json.dumps(said, separators=(",", ":")).encode()
    secret = b"k" * 32
    wrapping = HKDF(SHA256(), 32, salt, b"fieldsync slot 1 keyfile").derive(secret)
    key = ChaCha20Poly1305(wrapping).decrypt(nonce, wrapped, bound)
    assert slots.Slots.from_bytes(data).open_keyfile(secret) == key
    return f"additional data: {bound.decode()}\n\n" + anatomy.dump(
        (secret, "key file"), (salt, "salt"), (wrapping, "wrapping key: HKDF-SHA256"), (nonce, "nonce"),
        (wrapped, "wrapped: ChaCha20-Poly1305"), (key, "the store's key"),
    )  # fmt: skip


@example("slots-checksum")
def slots_checksum() -> str:
    file = json.loads((_HERE.parent / "tests/crypto/slots-1.json").read_text())
    told, file["checksum"] = file["checksum"], ""
    hashed = json.dumps(file, separators=(",", ":"))
    assert hashlib.sha256(hashed.encode()).hexdigest() == told
    return "\n".join(hashed[i : i + 120] for i in range(0, len(hashed), 120))


@example("slots-file")
def slots_file() -> str:
    return (_HERE.parent / "tests/crypto/slots-1.json").read_text().rstrip()


# --- trust.md ---------------------------------------------------------------------------------------------------------


@example("trust-lock")
def trust_lock() -> str:
    organisation = hashlib.sha256(b"an organisation").digest()
    proposal = entries.authorise(organisation, Lock(AMAL.device, REVOKE), [BASIM])
    entry = Entry(0, 4, Kind.LOCK, bytes(32), AT, "", proposal)
    labels = {
        (0,): "epoch", (1,): "number", (2,): "kind", (3,): "the entry of its kind before: none", (4,): "time", (5,): "refused: no",
        (6,): "Proposal", (6, 0): "body: array of 6: 12, device, action, place, since, replaces", (6, 1, 0, 0): "an admin's key",
        (6, 1, 0, 1): "its signature",
    }  # fmt: skip
    return anatomy.msgpack(entries.encode(entry), labels)


# --- invite.md --------------------------------------------------------------------------------------------------------


def _invite() -> Invite:
    pin, id_, secret = bytes(range(32)), bytes(range(8)), bytes(range(16))
    return Invite("https://10.0.0.5:8443", pin, id_, secret, "Social Affairs", "أمل", (("LAT/JBL", "caseworker"),))


@example("invite")
def invite() -> str:
    text = _invite().to_text()
    return "\n".join(text[i : i + 80] for i in range(0, len(text), 80))


@example("invite-bytes")
def invite_bytes() -> str:
    text = _invite().to_text().removeprefix("fieldsync:1:")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return anatomy.msgpack(data, {(i,): name for i, name in enumerate(Invite.__struct_fields__)})


# --- codes.md ---------------------------------------------------------------------------------------------------------


@example("code")
def code() -> str:
    made = codes.make_code("LAT/JBL", "AK", 42)
    bare = "JBL0AK042"
    value = int(bare, 36)
    check = (1 - value * 1296) % 1271
    assert made.endswith(codes.check_characters(bare))
    return "\n".join([
        "unit LAT/JBL, device letters AK, number 42",
        f"body                     {made.rpartition('-')[0]}",
        f"hyphens as 0             {bare}",
        f"read in base 36          {value}",
        f"(1 - {value} x 1296) mod 1271 = {check}",
        f"{check} = {check // 36} x 36 + {check % 36}     → {made[-2:]}",
        f"code                     {made}",
    ])  # fmt: skip


# --- requests.md ------------------------------------------------------------------------------------------------------


@example("request")
def request() -> str:
    from fieldsync.server.nonces import NonceIssuer
    from fieldsync.wire.messages import to_base64

    server_key, issued = bytes(32), AT * 1000
    moment = issued.to_bytes(8, "big")
    nonce = moment + hmac.digest(server_key, AMAL.device + moment, "sha256")[:8]
    assert NonceIssuer(server_key, lambda: AT).issue_time(AMAL.device, nonce) == issued
    frame = FrameCodec().pack_frame(FrameKind.HELLO, messages.encode(hello()))
    message = chain.signed_request(2, BASIM.device, chain.SignedRequest("POST", "/v2/sync", "", nonce, frame))
    signature = AMAL.sign(message)
    parts = (
        (b"fieldsync request 2", "its own words"), (b"\0\0\0\x10" + BASIM.device, "length, the server's id"),
        (b"\0\0\0\4POST", "length, method"), (b"\0\0\0\x08/v2/sync", "length, path"),
        (b"\0\0\0\0", "length, query: empty"), (b"\0\0\0\x10" + nonce, "length, nonce"),
        (b"\0\0\0\x20" + hashlib.sha256(frame).digest(), "length, SHA-256 of the hello frame"),
        (b"\0\0\0\x20" + bytes(32), "length, zeros: a stream of commits follows"),
    )  # fmt: skip
    assert b"".join(data for data, _ in parts) == message
    header = f"FS {to_base64(AMAL.device)}.{to_base64(nonce)}.{to_base64(signature)}"
    return "\n".join([
        anatomy.dump((moment, "issued, microseconds since 1970"), (nonce[8:], "tag")), "", anatomy.dump(*parts), "",
        anatomy.dump((signature, "signature")), "", "Authorization: " + header,
    ])  # fmt: skip


@example("successor")
def successor() -> str:
    link = chain.extend_chain(chain.chain_start(AMAL.device), [commits.encode(ADD), commits.encode(EDIT)])[1][1]
    hashed = b"fieldsync heir 1" + AMAL.to_bytes() + link
    private = hashlib.sha256(hashed).digest()
    key = AMAL.successor_key(link)
    assert key.to_bytes() == private
    signed = renewal_message(AMAL.device, key.public, BASIM.device)
    return anatomy.dump(
        (b"fieldsync heir 1", "its own words"), (AMAL.to_bytes(), "the old key, 32 private bytes"),
        (link, "chain hash of the first commit that is carried over: 2"), (private, "→ SHA-256: the successor's private bytes"),
        (key.public, "its public key"), (key.device, "its id"), (signed, "what by_old and by_new sign, for the server above"),
        (AMAL.sign(signed), "→ by_old"), (key.sign(signed), "→ by_new"),
    )  # fmt: skip


@example("join-message")
def join_message() -> str:
    made = _invite()
    recipient = "age1cfp5jlvx490z8h9wwdn5lu7f4p9pszzdyx2jl48dz66a6tj7wewqgrkhjj"
    message = chain.signed_join(2, chain.SignedJoin(made.pin, made.id, made.secret, AMAL.public, recipient, ""))
    parts = (
        (b"fieldsync join 2", "its own words"), (b"\0\0\0\x20" + made.pin, "length, the server's pin"),
        (b"\0\0\0\x08" + made.id, "length, invite id"), (b"\0\0\0\x10" + made.secret, "length, its secret"),
        (b"\0\0\0\x20" + AMAL.public, "length, public key"), (b"\0\0\0\x3e" + recipient.encode(), "length, age recipient"),
        (b"\0\0\0\0", "length, letters: none"),
    )  # fmt: skip
    assert b"".join(data for data, _ in parts) == message
    return anatomy.dump(*parts, (AMAL.sign(message), "→ signature"))


# --- bundle.md --------------------------------------------------------------------------------------------------------


def _bundle() -> tuple[bundle_format.Manifest, list[bytes]]:
    start = chain.chain_start(AMAL.device)
    head = chain.extend_chain(start, map(commits.encode, [ADD, EDIT]))[-1][1]
    sent = messages.Commits(AMAL.device, chain.sign_chain(AMAL, 2, head), row_batches.pack_commits([ADD, EDIT]))
    said = msgspec.structs.replace(hello(), dictionary=b"")
    frames = [FrameCodec().pack_frame(FrameKind.HELLO, messages.encode(said)), FrameCodec().pack_frame(FrameKind.COMMITS, messages.encode(sent))]
    carried = bundle_format.CarriedCommits(AMAL.device, 0, start, 2, head)
    manifest = bundle_format.Manifest(
        bundle_format.VERSION, bytes(range(16)), 2, True, AMAL.public, (BASIM.device,), AT, (carried,), (bundle_format.EarlierCommits(1, AMAL.device, 0, 1),), (), 2, 0,
        tuple(hashlib.sha256(frame).digest() for frame in frames), AT - 3_600_000,
    )  # fmt: skip
    return manifest, frames


@example("bundle-content")
def bundle_content() -> str:
    manifest, frames = _bundle()
    content = messages.encode(manifest)
    head = bundle_format.bundle_head(manifest, AMAL)
    size = len(bundle_format.MAGIC)
    signature = head[size + 4 + len(content) :]
    opener = bundle_format.BundleOpener(lambda _: None)
    assert len(list(opener.feed(head + b"".join(frames)))) == 2
    assert opener.finish() == manifest
    return anatomy.dump(
        (bundle_format.MAGIC, "“fieldsync bundle 1” and a line's end"), (head[size : size + 4], f"length of the manifest: {len(content)}"),
        (b"", f"… the manifest, {len(content)} bytes, as below"), (signature, "signature of “fieldsync bundle 1” and the manifest"),
        (frames[0][:5], f"frame: HELLO, {len(frames[0])} bytes in all …"), (frames[1][:5], f"frame: COMMITS, {len(frames[1])} bytes in all …"),
    )  # fmt: skip


@example("bundle-manifest")
def bundle_manifest() -> str:
    manifest, _ = _bundle()
    labels: dict[anatomy.Path, anatomy.Label] = {(i,): name for i, name in enumerate(bundle_format.Manifest.__struct_fields__)}
    labels |= {(7, 0, i): name for i, name in enumerate(bundle_format.CarriedCommits.__struct_fields__)}
    labels |= {(8, 0, i): name for i, name in enumerate(bundle_format.EarlierCommits.__struct_fields__)}
    return anatomy.msgpack(messages.encode(manifest), labels)

"""The small frames: everything sent besides records and commits. Byte by byte: docs/formats/messages.md."""

import base64
from typing import Annotated, TypeVar

import msgspec

from fieldsync import errors
from fieldsync.wire.node_reports import NodeReport, ReportBelow

_M = TypeVar("_M", bound=msgspec.Struct)
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]  # what a database keeps in one number

NONCE_HEADER = "fieldsync-nonce"
MOST_RANGES, MOST_WANTED = 256, 200
"""How much one ASK may ask for."""
MOST_FORMER = 256
"""How many former identities one PEER may name."""
MOST_PROBES = 256
"""How many places one RENEW may name."""
MOST_CHANNELS = 16_384
"""How many channels a hello, or a bundle's manifest, may name."""
MOST_TOLD = 1_024
"""How many devices, notes, receipts or judgements one PEER may tell; programs of ours tell 200."""
MOST_HEADS = 16_384
"""How many devices' last commits one PEER may name."""
MOST_RESERVED, RESERVED_KEY, RESERVED_DATA = 256, 64, 16 * 1024
"""How many reserved pieces one frame may have, and the bytes of a piece."""
MOST_FORMS, MOST_FORM_BYTES = 1_000, 32 * 1024 * 1024
"""How many texts of forms there may be, and the bytes of all of them."""


MOST_UNITS = 16_384
"""How many units an acknowledgement may name."""


class Reserved(msgspec.Struct, array_like=True, frozen=True):
    """An entry of a newer protocol, stored and forwarded unread. `source`: its node, `number`: the sender's own."""

    number: Count
    source: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    key: Annotated[bytes, msgspec.Meta(max_length=RESERVED_KEY)]
    data: Annotated[bytes, msgspec.Meta(max_length=RESERVED_DATA)]


Cursors = Annotated[tuple[tuple[str, Count, Count], ...], msgspec.Meta(max_length=MOST_CHANNELS)]
_Few = msgspec.Meta(max_length=MOST_TOLD)
_Epoch = Annotated[bytes, msgspec.Meta(max_length=64)]
_Link = Annotated[bytes, msgspec.Meta(max_length=32)]
_Pieces = Annotated[tuple[Reserved, ...], msgspec.Meta(max_length=MOST_RESERVED)]


_Held = Annotated[tuple[tuple[bytes, Count], ...], msgspec.Meta(max_length=MOST_FORMS)]


class Hello(msgspec.Struct, array_like=True, frozen=True):
    """The first frame of every request; it is signed. `where`: only state your position.

    `now` is the sender's clock in milliseconds, `head` its last commit, `cursors` (unit, arrivals taken and wholly known) of each
    channel it holds, `dictionary`, `grants`, `schema` and `servers` short hashes of what it works with, `devices`, `refused`
    and `receipts` the cursors for devices, for its own quarantined commits, and for receipts from further up;
    `judged` and `passed` the same of all devices' commits, for a branch. `budget`: bytes that the answer may have (0: any);
    `ahead` (unit, low, high) of arrivals taken before their turn, which need not be sent again: those above `low`, up to `high`.
    """

    protocol: int
    dictionary: bytes
    now: int
    head: Count
    grants: bytes
    cursors: Cursors = ()
    where: bool = False
    devices: Count = 0
    refused: Count = 0
    schema: bytes = b""
    servers: bytes = b""
    receipts: Count = 0
    judged: Count = 0
    passed: Count = 0
    budget: Count = 0
    ahead: Cursors = ()
    epoch: _Epoch = b""  # of the server's store, as in its last answer; a different one means that it was restored
    receipt: Count = 0  # up to which of the sender's own commits this server has acknowledged
    clocks: Count = 0  # cursor for clock notes
    pairs: Count = 0  # cursor for possible duplicates elsewhere
    reserved: _Pieces = ()  # from protocol 2 on, as `reserved_told`: pieces that go up
    reserved_told: Count = 0  # cursor for those that come down
    answers: Count = 0  # of this server, as its last acknowledgement counted them
    forms: _Held = ()  # (first 8 bytes of a text's hash, bytes of it) of forms that had begun to come
    units: Annotated[bytes, msgspec.Meta(max_length=32)] = b""  # a short hash of this server's list of units
    report: NodeReport | None = None  # how the sender is
    # of the trust register: its epoch, the number of the next entry, and headquarters' time of the head that it has
    register: tuple[Count, Count, Count] | None = None


class Commits(msgspec.Struct, array_like=True, frozen=True):
    """Contiguous commits of one device, and its seal over the last of them."""

    device: bytes
    seal: bytes
    rows: bytes


class OpaqueCommits(Commits, array_like=True, frozen=True):
    """The same from protocol 2 on, where `opaque` is not empty: (seq, body) of those among them whose bytes cannot be read.

    They are not in `rows`, which is empty where there are no others.
    """

    opaque: tuple[tuple[Count, bytes], ...] = ()


class Ack(msgspec.Struct, array_like=True, frozen=True):
    """How far a server holds the sender's commits, and the quarantined ones: (seq, code, facts as JSON; "" if applied since).

    `chain`: the first 8 bytes of the chain hash there, by which a clone or a restored copy knows itself. The rest is said only
    where the hello shows that it is news.
    """

    now: Count
    head: Count
    chain: bytes
    refused: tuple[tuple[Count, str, str], ...] = ()
    grants: tuple[tuple[str, str], ...] | None = None  # when they are others than the hello's
    # (number, id, letters, person, units) of those enrolled since
    devices: tuple[tuple[Count, bytes, str, str, tuple[str, ...]], ...] = ()
    refusals: Count = 0  # how far `refused` goes
    receipts: tuple[tuple[Count, bytes, Count, Count], ...] = ()  # (number, server, seq, milliseconds) from further up
    servers: tuple[tuple[bytes, str, str, bytes, str], ...] | None = (
        None  # (id, name, address, pin, age) of those further up
    )
    schema: dict[str, str] | None = None  # the forms' texts
    epoch: bytes = b""  # where it differs from the hello's: the hello's cursors are ignored
    # (number, device, first seq, last seq, milliseconds ahead) of commits stamped by clocks that were off
    clocks: tuple[tuple[Count, bytes, Count, Count, int], ...] = ()
    pairs: Count = 0  # how far `elsewhere` goes
    elsewhere: tuple[bytes, ...] = ()  # records of its own that may be one with some that it may not see
    again: bool = False  # whether this only goes on with the lists of the one before it
    pending: bool = False  # whether the device is pending approval: its commits are quarantined, and nothing comes down
    reserved: _Pieces = ()  # pieces that come down
    reserved_taken: Count = 0  # up to which of the sender's own pieces are here
    answers: Count = 0  # how often the device has come for one, as far as the server remembers
    forms: bool = False  # whether newer forms than the device's are there: FORMS frames bring them
    # (place in the list that the device sent, bytes that are here) of the forms' texts that the server lacks
    lacked: Annotated[tuple[tuple[Count, Count], ...], msgspec.Meta(max_length=MOST_FORMS)] = ()
    # the organisation's units, when they are others than the hello's
    units: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_UNITS)] | None = None


class FormText(msgspec.Struct, array_like=True, frozen=True):
    """A file of forms: its name, the SHA-256 of its text, and how many bytes that has."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    hash: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    size: Count


class Forms(msgspec.Struct, array_like=True, frozen=True):
    """Forms on their way: the list of all their files, in the order of their names, or pieces of texts from it.

    `pieces` are (place in the list, first byte, bytes). The list comes first, in a frame of its own or, going up, with the
    text of `published.toml`, which says whose forms they are.
    """

    listed: Annotated[tuple[FormText, ...], msgspec.Meta(max_length=MOST_FORMS)] = ()
    pieces: Annotated[tuple[tuple[Count, Count, bytes], ...], msgspec.Meta(max_length=MOST_FORMS)] = ()


class Enrolment(msgspec.Struct, array_like=True, frozen=True):
    """A device, as servers exchange it: `changed` (milliseconds) decides which of two is the later."""

    device: bytes
    key: bytes
    letters: str
    person: str
    grants: tuple[tuple[str, str], ...]
    state: str
    enrolled: Count
    changed: Count
    copy_of: bytes = b""  # the copied device that it goes on for
    copied_after: Count | None = None  # behind which of that one's commits, if a server said them again
    pending: bool = False  # it pushes into quarantine and pulls nothing until it is approved
    approved: Count = 0  # since when it is a family of its own (milliseconds), 0 if it is not
    spared: Count = 0  # since when it goes on although its original is revoked, 0 if it does not
    enrolled_by: bytes = b""  # the server that enrolled it, where that is known
    number: Count = 0  # headquarters' number of its last revocation or other grants, 0 if there was none
    until: Count = 0  # until when commits signed before the device was informed are accepted (milliseconds)
    since: Count = 0  # when it was out of its person's hands (milliseconds), 0 if that was not said


class SignedReceipt(msgspec.Struct, array_like=True, frozen=True):
    """A signed first receipt: the server first received a device's commits from `first` to `last`.

    `chain` is the hash at the last, `at` when (milliseconds), `number` headquarters' number of the device's last change that counted.
    """

    device: bytes
    first: Count
    last: Count
    chain: _Link
    at: Count
    number: Count
    server: bytes
    signature: Annotated[bytes, msgspec.Meta(max_length=64)]


class Former(msgspec.Struct, array_like=True, frozen=True):
    """An identity that a laptop has given up: its public key, the device that it went on for, its letters.

    `proof`: that device's signature over both (crypto/chain.heir_message); empty for the first of them, which was invited.
    """

    key: bytes
    copy_of: bytes
    letters: str
    proof: bytes


class Peer(msgspec.Struct, array_like=True, frozen=True):
    """Data exchanged by servers besides commits and states.

    `devices` up to `told` in the sender's order, `heads` (device, head, chain) of the commits that it holds, `refused` (device,
    seq, code, facts) up to `judged`, `receipts` (number, device, server, seq, milliseconds) from further up; `clocks` (device,
    first seq, last seq, milliseconds ahead) of commits stamped by clocks that were off. `mark`: the epoch of the branch's store,
    and up to which of its enrolments and clock notes this tells; coming down, how far they were taken. `parted` (device, after,
    last, chain) of commits that bear numbers of others: those behind `after`, up to the one with that chain, were re-issued.
    From protocol 2 on a laptop sends one, too: `heads` of its former identities, of which it asks how far the server holds them,
    and who they are (`former`); it is answered by one with `heads` and `parted`.
    """

    devices: Annotated[tuple[Enrolment, ...], _Few] = ()
    told: Count = 0
    heads: Annotated[tuple[tuple[bytes, Count, _Link], ...], msgspec.Meta(max_length=MOST_HEADS)] = ()
    refused: Annotated[tuple[tuple[bytes, Count, str, str], ...], _Few] = ()
    judged: Count = 0
    receipts: Annotated[tuple[tuple[Count, bytes, bytes, Count, Count], ...], _Few] = ()
    clocks: Annotated[tuple[tuple[bytes, Count, Count, int], ...], _Few] = ()
    mark: tuple[_Epoch, Count, Count] | None = None
    parted: Annotated[tuple[tuple[bytes, Count, Count, _Link], ...], msgspec.Meta(max_length=MOST_HEADS)] = ()
    former: Annotated[tuple[Former, ...], msgspec.Meta(max_length=MOST_FORMER)] = ()
    taken: Annotated[tuple[SignedReceipt, ...], _Few] = ()  # going up: first receipts of commits that it lacks
    reports: Annotated[tuple[ReportBelow, ...], _Few] = ()  # going up: how the devices below the branch are
    reported: Count = 0  # coming down: the number of the last of these reports that was taken


class States(msgspec.Struct, array_like=True, frozen=True):
    """A channel's next records up to `arrival`, and those that left it."""

    unit: str
    arrival: Count
    rows: bytes
    gone: tuple[bytes, ...] = ()
    asked: tuple[bytes, ...] = ()  # of those that come with their `_same_as`: whose a person is asked about


class Summary(msgspec.Struct, array_like=True, frozen=True):
    """A channel as the server holds it at the moment of the last frame."""

    unit: str
    arrival: Count
    digest: int
    records: int


class End(msgspec.Struct, array_like=True, frozen=True):
    """The last frame of an answer; `partial`: a byte budget ended it; `ahead`: the prefetched range."""

    channels: tuple[Summary, ...] = ()
    partial: bool = False
    ahead: tuple[tuple[str, Count, Count], ...] = ()


class Range(msgspec.Struct, array_like=True, frozen=True):
    """The records from id `low` to `high` (both included): how many, and the sum of their digest terms (64 bits)."""

    low: bytes
    high: bytes
    count: int
    digest: int


class Ask(msgspec.Struct, array_like=True, frozen=True):
    """For range repair: compare these ranges of a channel, and send these records whole."""

    unit: str
    ranges: Annotated[tuple[Range, ...], msgspec.Meta(max_length=MOST_RANGES)] = ()
    want: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MOST_WANTED)] = ()


class Found(msgspec.Struct, array_like=True, frozen=True):
    """Part of the answer to an Ask: ranges that differ, cut finer, and (id, term) of short ones that differ."""

    unit: str
    ranges: tuple[Range, ...] = ()
    records: tuple[tuple[bytes, int], ...] = ()
    within: tuple[Range, ...] = ()  # the short ranges that `records` lists
    over: tuple[
        tuple[bytes, Count], ...
    ] = ()  # copied devices, and behind which of their commits a number may be two commits'
    refused: tuple[
        tuple[bytes, bytes, Count], ...
    ] = ()  # (record, device, number) of commits about records that were asked for and that are not applied


class JoinRequest(msgspec.Struct, array_like=True, frozen=True):
    """A device asks to be enrolled: the invite, its public key, and its signature over both."""

    protocol: int
    invite: bytes
    secret: bytes
    key: bytes
    signature: bytes
    age: str = ""  # its age recipient, for bundles
    letters: str = ""  # those that it had, where a restored server has lost it


class JoinAnswer(msgspec.Struct, array_like=True, frozen=True):
    """The initial data of an enrolled device."""

    org: str
    server: bytes
    server_name: str
    letters: str
    person: str
    grants: tuple[tuple[str, str], ...]
    nonce: bytes
    now: int
    schema: dict[str, str]
    lettered: Count = 0  # for a branch: the first of the letters that it may give to its devices
    age: str = ""  # the server's age recipient
    forms: bool = False  # whether FORMS frames follow that bring the forms; then `schema` is empty


class RenewRequest(msgspec.Struct, array_like=True, frozen=True):
    """A copied store asks to become a new device: the new public key, signed by the old key and by the new.

    `probes` are (seq, first 8 bytes of the chain hash there) of the old device's commits, as the copy has them; with a key: the
    last shared one and the last that another server has.
    """

    key: bytes
    by_old: bytes
    by_new: bytes
    probes: Annotated[tuple[tuple[Count, bytes], ...], msgspec.Meta(max_length=MOST_PROBES)] = ()


class RenewAnswer(msgspec.Struct, array_like=True, frozen=True):
    """The initial data of a renewed device; `common` is the last probe that the server shares."""

    letters: str
    common: Count
    nonce: bytes
    now: Count


encode = msgspec.msgpack.Encoder().encode


def decode_message(kind: type[_M], payload: bytes) -> _M:
    """Return a message of this kind; BadFrame for anything else."""
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise errors.BadFrame(reason=kind.__name__) from fault


def to_base64(data: bytes) -> str:
    """Return bytes as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64(text: str) -> bytes:
    """Return the bytes of URL-safe base64; ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""What a store holds, as the rest of the program sees it: rows, entries, devices. No SQL and no file here."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from fieldsync import errors
from fieldsync.core.commit import Commit, Opaque, read
from fieldsync.core.grants import Grant
from fieldsync.core.register import Value
from fieldsync.core.state import Base, State
from fieldsync.crypto.chain import body_hash

Document = dict[str, Any]
Progress = Callable[[int, int | None, str], None]
"""Told how much of something is done, out of how much where that is known, and what it is (the key of a bar's words)."""
NOWHERE_ELSE: Mapping[int, int] = MappingProxyType({})

Rows = list[dict[str, Any]]


class Row:
    """One record as stored. Changed by sync.apply and by nobody else.

    `arrivals` says at which arrival of its channel each explicit register last changed, "" standing for the base. `also` are
    the other channels that it is in while people disagree on its unit, and its arrival in each.
    """

    __slots__ = (
        "also", "arrival", "arrivals", "channel", "code", "conflicts", "doc", "n", "old_also", "old_channel", "old_places", "old_term",
        "owner", "state",
    )  # fmt: skip

    def __init__(self, n: int, state: State, doc: Document, arrivals: dict[str, int]) -> None:
        self.n = n
        self.state = state
        self.doc = doc
        self.arrivals = arrivals
        self.channel: int | None = None
        self.also = NOWHERE_ELSE
        self.owner: bytes | None = None
        self.code: str | None = None
        self.conflicts: dict[str, Value] = {}  # field → the value that its heads started from, where known
        # as stored until now: what a save need not write again
        self.arrival = 0
        self.old_channel: int | None = None
        self.old_also = NOWHERE_ELSE
        self.old_places: tuple[object, ...] = ()
        self.old_term = 0

    @property
    def channels(self) -> list[int]:
        """All channels that the record is in."""
        return [n for n in (self.channel, *self.also) if n is not None]


class Query(NamedTuple):
    """Which rows: those that are all of what is given, in the order of their making or by a field (`-field`: falling).

    `equal` are plain fields' values, `members` one member each of sets, `named` records (UUIDs) that references name; both
    find what names one that gave way to them, too. Fields' names come from the schema. `standing`: only those that gave
    way to none that is here.
    """

    type: str | None = None
    equal: Mapping[str, Value] = MappingProxyType({})
    members: Mapping[str, str] = MappingProxyType({})
    named: Mapping[str, str] = MappingProxyType({})
    standing: bool = False
    unit: str | None = None
    channel: int | None = None
    in_conflict: bool = False
    deleted: bool = True
    sort: str = ""
    limit: int = -1


class Channel(NamedTuple):
    """One unit's records: the last arrival handed out, the digest (64 bits) over them, and how many they are."""

    n: int
    unit: str
    arrival: int
    digest: int
    records: int


class Wanted(NamedTuple):
    """What there is of the records that a device names by their ids, as far as one channel goes."""

    here: list[bytes]  # in the channel
    left: list[bytes]  # were in it, and are not
    lost: list[bytes]  # stored nowhere, although commits about them were applied: damage


class Entry(NamedTuple):
    """A record's place in a channel; `gone` entries tell late devices that it left. No row: not asked for."""

    arrival: int
    gone: bool
    row: Row | None


DEVICE_STATES = ("known", "enrolled", "forked", "revoked")
"""What a device's state may be; it only rises in this order. Known: heard of, enrolled elsewhere."""


class Device(msgspec.Struct, frozen=True):
    """A device as this node knows it. `head` and `chain`: how far its verified commits go here."""

    n: int
    id: bytes
    letters: str | None
    person: str | None
    key: bytes | None
    grants: tuple[Grant, ...]
    state: str  # one of DEVICE_STATES; revoked also where its original is
    head: int
    chain: bytes | None
    enrolled: int | None
    seen: int | None
    changed: int = 0  # when its enrolment last changed, milliseconds
    arrival: int = 0  # where it stands in this node's order of such changes
    copy_of: bytes | None = None  # the copied device that it goes on for
    copied_after: int | None = None  # behind which of that one's commits, if a server said them again
    own_state: str = ""  # whatever its original's is: what servers tell each other
    pending: bool = (
        False  # it pushes into quarantine and pulls nothing until it is approved; also where its original is
    )
    own_pending: bool = False  # whatever its original's is
    approved: int = 0  # since when it is a family of its own, milliseconds
    spared: int = 0  # since when it goes on although its original is revoked
    enrolled_by: bytes | None = None  # the server that enrolled it, where that is known


class Logged(NamedTuple):
    """One commit in the log; `body` is None when it was erased."""

    device: bytes
    seq: int
    stamp: int
    author: str
    record: bytes
    note: str | None
    body: bytes | None
    hash: bytes
    chain: bytes
    seal: bytes | None = None

    @classmethod
    def of(
        cls, commits: Iterable[Commit | Opaque], bodies: Iterable[bytes], links: Iterable[tuple[bytes, bytes]]
    ) -> list["Logged"]:
        """Return commits with their bytes and their places in the chain (crypto/chain.extend), as the log has them."""
        return [
            cls(c.device, c.seq, c.stamp, c.author, c.record, c.note, body, *link)
            for c, body, link in zip(commits, bodies, links, strict=True)
        ]

    def commit(self) -> Commit | None:
        """Return the commit, None where it was erased or cannot be read; StoreDamaged where its bytes are not those that were hashed.

        SQLCipher gives zeros for the last page of a long row that fails its check, and an error only for the next.
        """
        if self.body is None:
            return None
        if body_hash(self.body) != self.hash:
            raise errors.StoreDamaged(part="commit")
        return read(self.body)


class Awaited(NamedTuple):
    """Something that a quarantined commit waits for; the functions below name what there is to wait for.

    A commit may wait for several of these: it is judged again when any of them comes, and may then wait anew. Until then no
    sync of anybody else looks at it. Whoever judges commits says so by `Permit.objection`: it returns the reason, and
    `Permit.waits_for` holds what may change the verdict; empty for a refusal that only a person changes.
    """

    kind: str
    what: bytes


def record_key(record: bytes) -> Awaited:
    """Return the key for: something of this record is applied here, a commit or a state (an acceptance in the record)."""
    return Awaited("record", record)


def place_key(record: bytes) -> Awaited:
    """Return the key for: this record enters a unit here, it comes or moves there (whether it exists, the key does not say)."""
    return Awaited("place", record)


def state_key(record: bytes) -> Awaited:
    """Return the key for: a state of this record comes from the server above. Commits to the record do not count."""
    return Awaited("state", record)


def commit_key(device: bytes, seq: int) -> Awaited:
    """Return the key for: this commit is in the log, or its verdict here changes (applied, or refused, after it waited)."""
    return Awaited("commit", device + seq.to_bytes(8, "big"))


def form_key(type: str) -> Awaited:
    """Return the key for: another form of this record type, or the type itself, is put in force here."""
    return Awaited("form", hashlib.blake2b(type.encode(errors="replace"), digest_size=16).digest())


def sibling_key(record: bytes) -> Awaited:
    """Return the key for: a record whose id begins like this one's is applied here, as the event's that made it does."""
    return Awaited("sibling", record[:6])


def device_key(device: bytes) -> Awaited:
    """Return the key for: what this device may do has changed here, it was approved, say (whoever changes it wakes this)."""
    return Awaited("device", device)


class Quarantined(NamedTuple):
    """A quarantined commit as its log has it; `reason` "" where it was taken after all. Times are milliseconds."""

    device: bytes
    seq: int
    reason: str
    facts: str  # JSON
    waits: bool
    since: int | None
    record: bytes
    author: str
    stamp: int
    waits_for: tuple[str, ...]  # kinds of Awaited


class Act(NamedTuple):
    """What a person did about a quarantined commit: `release` or `drop`; who, when (milliseconds), and why."""

    device: bytes
    seq: int
    act: str
    by: str
    at: int
    note: str | None


PERSON = Awaited("person", b"")
"""The key for: a person releases the commit, or drops it (`quarantine release`, `quarantine drop`); nothing else ends it."""


class Server(NamedTuple):
    """A server that this node syncs with; `unsure` while a push's acknowledgement is outstanding.

    `mixed` while this node may hold what that server does not have: it has taken something from another one since.
    """

    id: bytes
    name: str
    address: str
    pin: bytes
    nonce: bytes | None
    unsure: bool
    synced: int | None
    mixed: bool = False


__all__ = [
    "PERSON",
    "Act",
    "Awaited",
    "Base",
    "Channel",
    "Device",
    "Document",
    "Entry",
    "Logged",
    "Quarantined",
    "Row",
    "Server",
    "State",
    "Value",
    "Wanted",
    "commit_key",
    "device_key",
    "form_key",
    "place_key",
    "record_key",
    "sibling_key",
    "state_key",
]


GRANTS, REVOKED = "grants", "revoked"


class AuthorityChange(NamedTuple):
    """A device's revocation, or other grants, with the grants and state before it (times in milliseconds)."""

    n: int  # in this store's order
    number: int  # headquarters'; 0 where it is not known yet
    kind: str
    at: int
    until: int  # up to when commits that were signed before the device was told count
    since: int | None  # when the device was out of its person's hands
    grants: tuple[Grant, ...]
    state: str


class FirstTaking(NamedTuple):
    """A device's commits from `first` to `last` as a server took them first; `link` is the chain hash at the last."""

    device: bytes
    first: int
    last: int
    link: bytes
    at: int
    came: int  # when that was told here
    basis: (
        int  # the device's last change, in this store's order, that counted for them; only where this server took them
    )
    number: int  # the same by headquarters' numbers
    server: bytes
    via: bytes  # the branch that told it here, none where this server itself took them
    signature: bytes = b""


class ToldChange(NamedTuple):
    """Where a device's commits stood, as somebody had said who was then told of a change."""

    head: int
    link: bytes  # the chain hash there, or its beginning; none where nothing is to prove


SharedPart = tuple[bytes, int]
"""A record and a channel that (some fields of) it is shared with; 0 for a record that the sharing only depends on."""


SERVERS = b""
"""The peer of bundles that go up: any of the organisation's servers can read them."""


class PackedPart(NamedTuple):
    """One device's commits in a bundle that this node packed: those behind `after`, up to `last`; `at` milliseconds."""

    number: int
    device: bytes
    after: int
    last: int
    at: int


SECONDS = 60.0


class View(NamedTuple):
    """A record type as reports see it: its plain fields, those that refer to records, those nobody needs to count by."""

    name: str
    fields: Sequence[str]
    refs: frozenset[str]
    lists: frozenset[str]  # those that refer to several
    sealed: frozenset[str]  # fields of the highest sensitivity
    below: bool  # whether its records stand for all units below theirs, too


class Issue(NamedTuple):
    """One report of one period and unit ("": all), as issued."""

    report: str
    period: str
    unit: str
    at: int  # milliseconds since 1970
    by: str
    rows: Rows
    as_of: Rows


def members(keys: Iterable[int], n: int) -> list[int]:
    """Return the numbers under which a record stands in these blocks."""
    return [key << 31 | n for key in keys]


class Linked(NamedTuple):
    """What of a record is compared: its number, id, type and document, and its owner's id."""

    n: int
    record: bytes
    type: str
    owner: bytes | None
    doc: Document

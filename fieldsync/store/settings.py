"""Node settings by name, its own and those of each peer: typed views over one table of names and values.

Each setting is declared once, with its permanent name and encoding. A reading transaction gives a view that cannot be
assigned to; a writing one gives the view with `SettingsWriter` in its name. Assigning None removes a setting.
"""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Self, TypeVar, overload

import msgspec

from fieldsync.core.grants import Grant
from fieldsync.store.node_notes import (
    BackupNote,
    BackupPlan,
    Contact,
    FormDraft,
    LoadMark,
    RegisterFault,
    RehearsalNote,
)

T = TypeVar("T")
Stored = str | bytes | int | None
Read = Callable[[str], Stored]
Keep = Callable[[str, Stored], None]
ServersAbove = tuple[tuple[bytes, str, str, bytes, str], ...]
"""The servers above one: id, name, address, pin and age recipient of each."""
TakenAhead = tuple[tuple[str, int, int], ...]
"""Arrivals of a server's channels that were taken before their turn: (unit, low, high)."""


class SavedAct(msgspec.Struct, frozen=True, array_like=True):
    """One action of a person: the device's commits from `first` to `last`.

    at: when, in milliseconds.
    parts: the first commit of each part whose former values are kept by themselves.
    """

    first: int
    last: int
    at: int
    parts: tuple[int, ...] = ()


class DailyCount(NamedTuple):
    """A count on a day (since 1970, UTC)."""

    day: int = 0
    taken: int = 0


class PeerMark(NamedTuple):
    """The progress of a branch's enrolments and clock notes, and its store epoch."""

    epoch: bytes = b""
    enrolled: int = 0
    noted: int = 0


class Obstacle(msgspec.Struct, frozen=True, array_like=True):
    """A reason that prevented a digest check, with its first and last occurrence (milliseconds)."""

    what: str
    since: int
    last: int


# --- how a value is stored ------------------------------------------------------------------------------------------------


class SettingCodec(NamedTuple, Generic[T]):
    """The encoding of a value; `read` gets None if nothing is stored."""

    read: Callable[[Any], T]
    write: Callable[[T], Stored]


def _as_is(default: T) -> SettingCodec[T]:
    return SettingCodec(lambda kept: default if kept is None else kept, lambda value: value)  # type: ignore[arg-type,return-value]


def _json_codec(type: type[T], default: T, *, text: bool = False, absent: object = None) -> SettingCodec[T]:
    """JSON, as text or as bytes; a value that equals `absent` is not stored."""
    decode = msgspec.json.Decoder(type).decode

    def write(value: T) -> Stored:
        if value == absent:
            return None
        encoded = msgspec.json.encode(value)
        return encoded.decode() if text else encoded

    return SettingCodec(lambda kept: default if kept is None else decode(kept), write)


def _maybe_json(type: type[T], *, text: bool = False) -> SettingCodec[T | None]:
    decode = msgspec.json.Decoder(type).decode

    def write(value: T | None) -> Stored:
        if value is None:
            return None
        return msgspec.json.encode(value).decode() if text else msgspec.json.encode(value)

    return SettingCodec(lambda kept: None if kept is None else decode(kept), write)


def _msgpack_codec(type: type[T], default: T) -> SettingCodec[T]:
    """MessagePack."""
    decode = msgspec.msgpack.Decoder(type).decode
    return SettingCodec(lambda kept: default if kept is None else decode(kept), msgspec.msgpack.encode)


def _maybe_msgpack(type: type[T]) -> SettingCodec[T | None]:
    decode = msgspec.msgpack.Decoder(type).decode
    return SettingCodec(
        lambda kept: None if kept is None else decode(kept),
        lambda value: None if value is None else msgspec.msgpack.encode(value),
    )


def _parse_daily(kept: str | None) -> DailyCount:
    return DailyCount(*map(int, kept.split())) if kept else DailyCount()


TEXT, BYTES, NUMBER = _as_is(""), _as_is(b""), _as_is(0)
MAYBE_TEXT: SettingCodec[str | None] = _as_is(None)
MAYBE_BYTES: SettingCodec[bytes | None] = _as_is(None)
MAYBE_NUMBER: SettingCodec[int | None] = _as_is(None)
FLAG: SettingCodec[bool] = SettingCodec(bool, lambda value: 1 if value else None)
PRESENT: SettingCodec[bool] = SettingCodec(lambda kept: kept is not None, lambda value: b"" if value else None)
GRANTS: SettingCodec[tuple[Grant, ...]] = _json_codec(tuple[Grant, ...], (), text=True)
_texts = msgspec.json.Decoder(dict[str, str]).decode


def _sorted_json(value: dict[str, str] | None) -> Stored:
    return None if value is None else msgspec.json.encode(value, order="sorted")


TEXTS: SettingCodec[dict[str, str]] = SettingCodec(lambda kept: {} if kept is None else _texts(kept), _sorted_json)
MAYBE_TEXTS: SettingCodec[dict[str, str] | None] = SettingCodec(
    lambda kept: None if kept is None else _texts(kept), _sorted_json
)
DAILY: SettingCodec[DailyCount] = SettingCodec(_parse_daily, lambda value: f"{value.day} {value.taken}")


# --- views ----------------------------------------------------------------------------------------------------------------


class SettingsView:
    """A view of settings; `scope` ends their names."""

    __slots__ = ("_read", "_scope")  # so that a name that is none is refused

    def __init__(self, read: Read, scope: str = "") -> None:
        self._read = read
        self._scope = scope

    def read_stored(self, name: str) -> Stored:
        """Return a setting as it is stored."""
        return self._read(name + self._scope)


class SettingsWriter(SettingsView):
    """A view whose settings can be assigned to."""

    __slots__ = ("_keep",)

    def __init__(self, read: Read, keep: Keep, scope: str = "") -> None:
        super().__init__(read, scope)
        self._keep = keep

    def write_stored(self, name: str, value: Stored) -> None:
        """Store a setting; None removes it."""
        self._keep(name + self._scope, value)


class Setting(Generic[T]):
    """One setting of a view."""

    def __init__(self, name: str, codec: SettingCodec[T]) -> None:
        self._name = name
        self._codec = codec

    @overload
    def __get__(self, view: None, owner: type) -> Self: ...
    @overload
    def __get__(self, view: SettingsView, owner: type) -> T: ...
    def __get__(self, view: SettingsView | None, owner: type) -> T | Self:
        """Return its value."""
        return self if view is None else self._codec.read(view.read_stored(self._name))

    def __set__(self, view: SettingsWriter, value: T) -> None:
        """Store another value."""
        if not isinstance(view, SettingsWriter):
            raise TypeError(f"{self._name} is not to be written in a reading transaction")
        view.write_stored(self._name, self._codec.write(value))


class SettingEntries(Generic[T]):
    """Settings of one kind, each by a key of its own."""

    def __init__(self, view: SettingsView, prefix: str, codec: SettingCodec[T]) -> None:
        self._view = view
        self._prefix = prefix
        self._codec = codec

    def __getitem__(self, key: str) -> T:
        return self._codec.read(self._view.read_stored(self._prefix + key))


class EntriesWriter(SettingEntries[T]):
    """The same, to be assigned to."""

    _view: SettingsWriter

    def __init__(self, view: SettingsWriter, prefix: str, codec: SettingCodec[T]) -> None:
        super().__init__(view, prefix, codec)

    def __setitem__(self, key: str, value: T) -> None:
        self._view.write_stored(self._prefix + key, self._codec.write(value))


class EntryFamily(Generic[T]):
    """Settings of one kind in a view."""

    def __init__(self, prefix: str, codec: SettingCodec[T]) -> None:
        self._prefix = prefix
        self._codec = codec

    @overload
    def __get__(self, view: None, owner: type) -> Self: ...
    @overload
    def __get__(self, view: SettingsWriter, owner: type) -> EntriesWriter[T]: ...
    @overload
    def __get__(self, view: SettingsView, owner: type) -> SettingEntries[T]: ...
    def __get__(self, view: SettingsView | None, owner: type) -> SettingEntries[T] | Self:
        """Return the entries."""
        if view is None:
            return self
        if isinstance(view, SettingsWriter):
            return EntriesWriter(view, self._prefix, self._codec)
        return SettingEntries(view, self._prefix, self._codec)


class NodeSettings(SettingsView):
    """A node's own settings."""

    __slots__ = ()

    kind = Setting("kind", TEXT)  # laptop, server, or joining: no server has answered yet
    org = Setting("org", TEXT)
    letters = Setting("letters", TEXT)
    person = Setting("person", TEXT)
    grants = Setting("grants", GRANTS)
    private_key = Setting("private", BYTES)
    first_private_key = Setting("first_private", MAYBE_BYTES)  # of a server that was renewed
    renewing_key = Setting("renewing", MAYBE_BYTES)  # of the device that this store is about to be
    age_identity = Setting("age", TEXT)
    restored = Setting("restored", FLAG)  # from a backup: the device may have gone on since
    device_pending = Setting("device_pending", FLAG)  # the server waits for somebody to approve this device
    last_code_number = Setting("number", NUMBER)
    last_stamp = Setting("last", NUMBER)
    clock_off = Setting("clock_off", MAYBE_NUMBER)  # milliseconds ahead of the server's, at the last sync

    schema_texts = Setting("schema_texts", TEXTS)
    compiled_schema = Setting("schema", BYTES)
    forms = Setting(
        "forms", BYTES
    )  # which forms these are: number and the beginning of their texts' hash, 4 bytes each
    forms_lost = Setting(
        "forms_lost", NUMBER
    )  # up to which number forms were, or may have been, published and are not here
    forms_unread = Setting("forms_unread", FLAG)  # the server has forms that this program cannot read
    newer_values = Setting("ahead", FLAG)  # values of newer forms than ours may be here, in states from above, say
    outdone_forms = Setting(
        "forms_outdone", MAYBE_BYTES
    )  # the claim of ours, which was merged into others of the same number
    known_texts = EntryFamily("form texts ", BYTES)  # of forms that were in force: the short hashes of their texts

    purges = Setting("purges", NUMBER)  # of a laptop, since its pages were last cleared of what these left there

    organisation = Setting("organisation", BYTES)  # its id: the hash of the trust register's first entry
    register_time = Setting("register_time", NUMBER)  # headquarters' time of the last entry or head, milliseconds
    # headquarters' last word on how far the register goes, and its signature
    register_head: Setting[tuple[bytes, bytes] | None] = Setting("register_head", _maybe_msgpack(tuple[bytes, bytes]))
    register_fault: Setting[RegisterFault | None] = Setting("register_fault", _maybe_msgpack(RegisterFault))
    headquarters_key = Setting("headquarters_key", MAYBE_BYTES)  # the private key that orders the register
    certified = Setting("certified", NUMBER)  # the arrival of the last change of a device that was registered
    admin_key = Setting("admin_key", MAYBE_BYTES)  # an admin's private key, where it is kept on the server

    upstream = Setting("upstream", MAYBE_BYTES)  # this server's upstream
    upstream_grants = Setting("upstream_grants", GRANTS)  # what it lets this one do
    address = Setting("address", TEXT)
    certificate = Setting("certificate", BYTES)
    certificate_key = Setting("certificate_key", BYTES)
    nonce_key = Setting("nonce_key", BYTES)
    next_letters = Setting("lettered", NUMBER)  # the number of the letters that the next device gets
    epoch = Setting("epoch", BYTES)
    epoch_begun = Setting("epoch_begun", NUMBER)  # milliseconds
    backup_plan: Setting[BackupPlan | None] = Setting("backup_plan", _maybe_json(BackupPlan, text=True))
    backup_tried = Setting("backup_tried", NUMBER)  # when the schedule was last followed, milliseconds
    backup_note: Setting[BackupNote | None] = Setting("backup", _maybe_msgpack(BackupNote))
    rehearsal_note: Setting[RehearsalNote | None] = Setting("rehearsal", _maybe_msgpack(RehearsalNote))
    last_contact = Setting("contacts", NUMBER)  # the number of the last contact with a device
    serial_series = Setting("serial_series", TEXT)  # of a restored server, whose former numbers are not all known

    cleared_refusals = EntryFamily("refusal cleared ", TEXT)  # by save: the reason, read and put aside by its person
    acts: Setting[tuple[SavedAct, ...]] = Setting("acts", _msgpack_codec(tuple[SavedAct, ...], ()))  # the newest last
    # the first and last commits by which acts were taken back
    undone: Setting[tuple[tuple[int, int], ...]] = Setting("undone", _msgpack_codec(tuple[tuple[int, int], ...], ()))
    # of an act's part, by its first commit: record in hex → register → the value that it had; nothing for a new record
    values_before: EntryFamily[dict[str, dict[str, Any]]] = EntryFamily(
        "before ", _json_codec(dict[str, dict[str, Any]], {}, absent={})
    )
    drafts = EntryFamily("draft ", _maybe_json(FormDraft))
    serial_numbers = EntryFamily("serial ", NUMBER)  # the last of a series
    reserved_entries = EntryFamily("reserved_", MAYBE_BYTES)  # each way: what newer programs say through this one
    value_maps: EntryFamily[dict[str, dict[str, str]]] = EntryFamily(
        "values/", _json_codec(dict[str, dict[str, str]], {})
    )
    load_marks: EntryFamily[LoadMark | None] = EntryFamily("load ", _maybe_msgpack(LoadMark))  # by the file's name
    column_choices = EntryFamily("columns/", _maybe_json(tuple[dict[str, str], str | None]))
    parent_rows = EntryFamily("parents/", MAYBE_BYTES)
    imported_files = EntryFamily("taken/", PRESENT)
    import_marks = EntryFamily(
        "taken by ", MAYBE_TEXT
    )  # of imports that can be taken back: by the first commit, which file


class NodeSettingsWriter(NodeSettings, SettingsWriter):
    """The same, to be assigned to."""

    __slots__ = ()


class PeerSettings(SettingsView):
    """A node's settings for a peer: a server that it syncs with, or a device that syncs with it."""

    __slots__ = ()

    protocol = Setting("protocol", MAYBE_NUMBER)  # the newest that it has ever spoken

    # of a server: cursors into its numbered lists, as received here
    receipts_cursor = Setting("receipts", NUMBER)
    judged_cursor = Setting("judged", NUMBER)  # verdicts on others' commits
    passed_cursor = Setting("passed", NUMBER)  # receipts that it passed on
    devices_cursor = Setting("devices", NUMBER)
    refused_cursor = Setting("refused", NUMBER)  # verdicts on this node's commits
    clocks_cursor = Setting("clocks", NUMBER)
    pairs_cursor = Setting("pairs", NUMBER)
    register_cursor = Setting("register", NUMBER)  # of a laptop: up to which entry it has what it needs
    heard_cursor = Setting("heard", NUMBER)  # the last save of this laptop whose verdicts have all arrived
    # of a server: cursors into this node's lists, as sent to it
    enrolled_cursor = Setting("enrolled", NUMBER)
    noted_cursor = Setting("noted", NUMBER)  # clock notes
    reported_cursor = Setting("reported", NUMBER)  # contacts
    reserved_cursors = EntryFamily("reserved_", NUMBER)  # each way
    # of a server: its store and its clock
    servers_above: Setting[ServersAbove] = Setting("servers", _msgpack_codec(ServersAbove, ()))
    units: Setting[tuple[str, ...]] = Setting("units", _msgpack_codec(tuple[str, ...], ()))  # of the organisation
    newest_time = Setting("told", NUMBER)  # in its answers, milliseconds
    epoch = Setting("epoch", BYTES)
    suspected = Setting("suspected", FLAG)  # it may have lost what is here
    lost_enrolment = Setting("lost_enrolment", FLAG)  # it has told this branch that it does not know it
    blocked_check = Setting("unchecked", _maybe_json(Obstacle, text=True))
    taken_ahead: Setting[TakenAhead] = Setting("ahead", _json_codec(TakenAhead, (), text=True, absent=()))
    lacked_forms = Setting("forms lacked", MAYBE_NUMBER)
    arriving_forms = Setting("forms arriving", MAYBE_BYTES)  # the list of forms that have not come whole
    arriving_texts = EntryFamily("forms arriving ", MAYBE_BYTES)  # and what has come of their texts

    # of a device
    answers_from = EntryFamily("answers ", NUMBER)  # how many answers each server has given to this device
    answered = Setting("answered", NUMBER)  # how many answers it has come for
    reserved_taken = Setting("reserved_taken", NUMBER)
    letters_at_branch = Setting(
        "letters_at_branch", MAYBE_TEXT
    )  # those that it was first given, where it has others by now
    succession_proof = Setting("heir", BYTES)  # the former key's signature that this device goes on for it
    daily_counts = EntryFamily("", DAILY)  # of a family: what is counted, and how many on the last day
    contact: Setting[Contact | None] = Setting("contact", _maybe_msgpack(Contact))
    # of a branch
    reports_taken = Setting("reports_taken", NUMBER)  # the number of the last of its reports on those below it
    first_letters = Setting("lettered", NUMBER)  # the number of the first that it may give
    mark: Setting[PeerMark] = Setting("mark", _msgpack_codec(PeerMark, PeerMark()))
    withheld_news = Setting("withheld", NUMBER)  # how many answers in a row did not tell it what changed of devices
    carried: Setting[dict[bytes, int]] = Setting(
        "carried", _msgpack_codec(dict[bytes, int], {})
    )  # device → last commit it has


class PeerSettingsWriter(PeerSettings, SettingsWriter):
    """The same, to be assigned to."""

    __slots__ = ()

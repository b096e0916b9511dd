"""Structs of node settings: contacts, backups, rehearsals, the backup schedule, drafts of forms."""

from typing import Any

import msgspec

from fieldsync.core.backup_rotation import Rotation
from fieldsync.wire.node_reports import NodeReport


class Contact(msgspec.Struct, frozen=True, array_like=True):
    """A device's last contact with a server, and how it was then.

    number: its place in this node's order of contacts, for the upstream server.
    at: when, in milliseconds.
    skew: milliseconds that the device's clock was ahead.
    via: the branch that reported it, empty where the device came itself.
    """

    number: int
    at: int
    skew: int
    report: NodeReport | None = None
    via: bytes = b""


class LoadMark(msgspec.Struct, frozen=True, array_like=True):
    """How far a file is loaded: bytes, records, groups, and the hash (SHA-256) of these bytes."""

    offset: int
    records: int
    groups: int
    digest: bytes


class BackupNote(msgspec.Struct, frozen=True, array_like=True):
    """The last backup of this store that was made, and why a later one was not.

    at: when, in milliseconds; 0: there was none.
    fault: the code of the error, empty where all is well.
    failed: when that was, in milliseconds.
    file: the name of the file.
    bytes: its size.
    only_copy: whether only its copy on another disk failed.
    """

    at: int = 0
    fault: str = ""
    failed: int = 0
    file: str = ""
    bytes: int = 0
    only_copy: bool = False


class RehearsalNote(msgspec.Struct, frozen=True, array_like=True):
    """The last rehearsal of a restore.

    at: when, in milliseconds.
    fault: the code of the error, empty where the backup is good.
    file: the name of the backup.
    records: the number of records in it.
    """

    at: int
    fault: str = ""
    file: str = ""
    records: int = 0


class BackupPlan(msgspec.Struct, frozen=True):
    """A server's backup schedule.

    at: the time of day, HH:MM, by this computer's clock.
    copy: a second folder, empty for none.
    elsewhere: whether that was on another disk when it was named.
    rehearse_days: after how many days the newest backup is opened and checked again, 0 for never.
    """

    folder: str
    copy: str = ""
    elsewhere: bool = False
    at: str = "02:00"
    rotation: Rotation = Rotation()
    rehearse_days: int = 7


class DraftAnswers(msgspec.Struct):
    """An unfinished form's answers about one record.

    was: what stood in the record, by field, when the form was opened.
    logs, counts: text for a log's next entry and what a tally grows by.
    """

    answers: dict[str, Any] = {}
    was: dict[str, Any] = {}
    logs: dict[str, str] = {}
    counts: dict[str, int] = {}


class DraftMember(msgspec.Struct):
    """A member entered in a household's form: the membership and the person."""

    tie: DraftAnswers
    being: DraftAnswers


class FormDraft(DraftAnswers):
    """An unfinished form, stored until it is saved or discarded.

    at: when it was stored, in milliseconds. typed: text that is not a legal answer yet, by field.
    """

    at: int = 0
    typed: dict[str, str] = {}
    members: list[DraftMember] = []


class RegisterFault(msgspec.Struct, frozen=True, array_like=True):
    """What does not fit in the trust register that a server told: the number of the entry, why, and when (milliseconds)."""

    server: bytes
    number: int
    reason: str
    at: int

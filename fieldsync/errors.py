"""One error tree: facts as fields, a code, an exit code and an HTTP status; words are made at the edge.

FieldsyncError                      exit  status
├── Fault (ours)                      1     500   DiskFull, Unexpected
├── Usage                             2     400
├── BadInput                          3     422   UnknownType, UnknownField, UnknownForm, Unreadable, IllegalValue, IllegalStep, Incomplete,
│                                                 RetiredType, BadRows, SchemaFaults, BadFile, BadFrame, TooLarge, Gap,
│                                                 BelongsTo, NeedsBundle, ReportFault
├── Locked                            4     401   WrongPassphrase, NoSecret
├── NotFound                          5     404   NoRecord, Ambiguous, NoStore, NoDevice, NoConflict, NoUndo, NoHead, NoRecipient,
│                                                 NoReport
├── NoContact                         6     503   Unreachable, CutOff, Busy
├── Refused                           7     403   Revoked, UnknownDevice, InviteInvalid, RoleRefused, UnitRefused, StaleNonce,
│                                                 BadSignature, StoreExists, ConsentNeeded, DevicePending, ManyPending, ManySuccessors,
│                                                 WrongWords, OutOfHands, Dropped
├── Damaged                           8     409   StoreDamaged, ChainBroken, WrongServer, SlotPolicy, Forked,
│                                                 OtherDictionary, BadBundle
├── MustDecide                        9     409   OpenConflict, Undecided
├── StoreUnavailable (the computer)  10     503   StoreBusy, StoreReadOnly
├── Outdated (one of two programs)   11     409   BadVersion (this one), PeerOutdated (the other one)
└── Stopped (by the person)         130     499

Facts never hold a field's value or a person's name: errors travel into logs.
"""

import errno
from collections.abc import Mapping
from types import MappingProxyType


def _plain(fact: object) -> object:
    """Return a fact as JSON can say it: what came from outside may be bytes, no number, or too deep."""
    if isinstance(fact, float) and fact - fact != 0:
        return None
    if fact is None or isinstance(fact, str | bool | int | float):
        return fact
    if isinstance(fact, Mapping):
        return {str(key): _plain(value) for key, value in fact.items()}
    if isinstance(fact, list | tuple | set | frozenset):
        return [_plain(one) for one in fact]
    return fact.hex() if isinstance(fact, bytes) else str(fact)


class FieldsyncError(Exception):
    """Base of every error of ours; `facts` are plain JSON values for the words at the edge."""

    code = "error"
    exit = 1
    status = 500

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code)
        self.facts = {name: _plain(fact) for name, fact in facts.items()}

    def __str__(self) -> str:
        return f"{self.code} {self.facts}" if self.facts else self.code


class Fault(FieldsyncError):
    """A fault of ours or of the machine."""

    code = "fault"


class DiskFull(Fault):
    """The disk has no room; nothing was changed."""

    code = "disk_full"
    status = 507


def unwritten(fault: OSError, name: str) -> "FieldsyncError":
    """Return why a file could not be written: the disk is full, or it may not be written there."""
    return DiskFull() if fault.errno == errno.ENOSPC else BadFile(file=name, reason="unwritable")


class Unexpected(Fault):
    """An exception that nobody foresaw; facts: where."""

    code = "unexpected"


class Usage(FieldsyncError):
    """The command's words are off; facts: reason."""

    code = "usage"
    exit = 2
    status = 400


class BadInput(FieldsyncError):
    """What was given is not acceptable."""

    code = "bad_input"
    exit = 3
    status = 422


class UnknownType(BadInput):
    """No such record type; facts: type, known."""

    code = "unknown_type"


class UnknownField(BadInput):
    """No such field; facts: type, field, known."""

    code = "unknown_field"


class UnknownForm(BadInput):
    """A commit made under a form that is not here yet; facts: type, form, ours."""

    code = "unknown_form"


class Unreadable(BadInput):
    """A commit whose bytes cannot be read; it is carried and never applied."""

    code = "unreadable"


class RetiredType(BadInput):
    """A record type of which no new records are made; facts: type."""

    code = "retired_type"


class IllegalValue(BadInput):
    """A value that its field does not allow; facts: type, field, reason, and the limits broken."""

    code = "illegal_value"


class IllegalStep(BadInput):
    """A lifecycle step that is not allowed; facts: type, old, new, allowed."""

    code = "illegal_step"


class NothingToApprove(BadInput):
    """A case that asks for no approval, or for several and none was named; facts: code, asked."""

    code = "nothing_to_approve"


class Incomplete(BadInput):
    """Fields that are needed before the first state is left; facts: type, fields."""

    code = "incomplete"


class BadRows(BadInput):
    """Rows of a file that are not acceptable; facts: file, count, rows [{row, field, reason}], the first ones in words.

    `unknown` are the words that are none of a field's choices, to ask a person about: what files say is no fact of an error.
    """

    code = "bad_rows"
    unknown: Mapping[str, Mapping[str, None]] = MappingProxyType({})


class SchemaFaults(BadInput):
    """A schema folder with faults; facts: faults [{file, line, code, …}]."""

    code = "schema_faults"


class BadFile(BadInput):
    """A file that cannot be read as what it should be; facts: file, reason."""

    code = "bad_file"


class BadFrame(BadInput):
    """Bytes that are no frame of ours; facts: reason."""

    code = "bad_frame"
    status = 400


class TooLarge(BadInput):
    """Something over a limit; facts: what, limit."""

    code = "too_large"
    status = 413


class Gap(BadInput):
    """Commits that do not follow on what the node holds; facts: device, need."""

    code = "gap"
    status = 409


class NeedsBundle(BadInput):
    """A bundle that begins behind what the node has; facts: number of the one to unpack first."""

    code = "needs_bundle"
    status = 409


class ReportFault(BadInput):
    """A report file that cannot be used as it is; facts: report, reason, what."""

    code = "report_fault"


class Locked(FieldsyncError):
    """The store is locked."""

    code = "locked"
    exit = 4
    status = 401


class WrongPassphrase(Locked):
    """The passphrase (or key file) does not open this store."""

    code = "wrong_passphrase"


class NoSecret(Locked):
    """Nothing was given to open the store with and there is nobody to ask."""

    code = "no_secret"


class NotFound(FieldsyncError):
    """No such thing."""

    code = "not_found"
    exit = 5
    status = 404


class NoRecord(NotFound):
    """No record of that name within what this node may see; facts: ref."""

    code = "no_record"


class Ambiguous(NotFound):
    """More than one record begins like that; facts: ref, codes."""

    code = "ambiguous"


class NoStore(NotFound):
    """No store in this folder; facts: home."""

    code = "no_store"


class NoDevice(NotFound):
    """No such device; facts: device."""

    code = "no_device"


class NoConflict(NotFound):
    """This field has no open conflict; facts: field."""

    code = "no_conflict"


class NoHead(NotFound):
    """No such head in this conflict; facts: head, heads."""

    code = "no_head"


class NoUndo(NotFound):
    """No decision here that could be taken back; facts: field."""

    code = "no_undo"


class NoRecipient(NotFound):
    """A device or server that told no key to pack a bundle for; facts: name."""

    code = "no_recipient"


class NoReport(NotFound):
    """No report of that name; facts: report, known."""

    code = "no_report"


class NoContact(FieldsyncError):
    """No contact with the server."""

    code = "no_contact"
    exit = 6
    status = 503


class Unreachable(NoContact):
    """The server does not answer; facts: server."""

    code = "unreachable"


class CutOff(NoContact):
    """The line was cut; facts: server, unsent."""

    code = "cut_off"


class Busy(NoContact):
    """The server has too much to do just now; facts: server, wait (seconds after which to ask again)."""

    code = "busy"


class Refused(FieldsyncError):
    """Not allowed."""

    code = "refused"
    exit = 7
    status = 403


class Revoked(Refused):
    """This device was locked out."""

    code = "revoked"


class DevicePending(Refused):
    """The device waits for approval: what it pushes is quarantined, and it pulls nothing."""

    code = "device_pending"


class ManyPending(Refused):
    """A further copy of a device, of which as many wait for approval as may; facts: limit."""

    code = "many_pending"


class ManySuccessors(Refused):
    """A device that goes on for a copied one, of whose family as many were enrolled today as may be; facts: limit."""

    code = "many_successors"


class OutOfHands(Refused):
    """First taken after the device was out of its person's hands: it waits until somebody releases or drops it."""

    code = "out_of_hands"


class WrongWords(Refused):
    """The words that were given are not those of the device's key."""

    code = "wrong_words"


class SaidAgain(Refused):
    """A commit of a copied device: the server above has it in another device's name."""

    code = "said_again"


class Dropped(Refused):
    """A quarantined commit that a person dropped; facts: was (the reason that it had), note."""

    code = "dropped"


class UnknownDevice(Refused):
    """The server does not know this device."""

    code = "unknown_device"
    status = 401


class BadSignature(Refused):
    """A signature that does not hold."""

    code = "bad_signature"
    status = 401


class StaleNonce(Refused):
    """A nonce used before, or never handed out: a replay, or a lost answer."""

    code = "stale_nonce"
    status = 401


class InviteInvalid(Refused):
    """An invite that is unreadable, unknown, used or expired; facts: reason."""

    code = "invite_invalid"


class RoleRefused(Refused):
    """The role does not allow this; facts: role, needs."""

    code = "role_refused"


class UnitRefused(Refused):
    """The unit is not one of this device's; facts: unit."""

    code = "unit_refused"


class ConsentNeeded(Refused):
    """What would be shared has no consent that covers it; `reason` says what is wrong with it."""

    code = "consent_needed"


class StoreExists(Refused):
    """There is a store in this folder already; facts: home."""

    code = "store_exists"


class Damaged(FieldsyncError):
    """Something is damaged or was tampered with."""

    code = "damaged"
    exit = 8
    status = 409


class StoreDamaged(Damaged):
    """The store's file is damaged; facts: part."""

    code = "store_damaged"


class ChainBroken(Damaged):
    """A commit that does not belong to its device's chain; facts: device, seq."""

    code = "chain_broken"


class Forked(Damaged):
    """One device with two commits at one place: proof of a clone; facts: device, seq."""

    code = "forked"


class WrongServer(Damaged):
    """The server shows another certificate than the one that was pinned; facts: server."""

    code = "wrong_server"


class SlotPolicy(Damaged):
    """A key slot whose parameters are out of policy; nothing was derived."""

    code = "slot_policy"


class OtherDictionary(Damaged):
    """A server that does not have the dictionary which the sender packs with: it is sent again without any."""

    code = "other_dictionary"


class BadBundle(Damaged):
    """A bundle that was changed or cut, is for others or from nobody known here; nothing of it was taken; facts: reason."""

    code = "bad_bundle"


class MustDecide(FieldsyncError):
    """A person must decide first."""

    code = "must_decide"
    exit = 9
    status = 409


class StoreUnavailable(FieldsyncError):
    """The computer does not let the store be used just now; nothing was changed."""

    code = "store_unavailable"
    exit = 10
    status = 503


class StoreBusy(StoreUnavailable):
    """Another program holds the store."""

    code = "store_busy"


class StoreReadOnly(StoreUnavailable):
    """The store lies where nothing can be written."""

    code = "store_read_only"


class BelongsTo(BadInput):
    """A record that cannot be moved by itself: it lives where its owner lives; facts: type, owner."""

    code = "belongs_to"


class SameBirth(MustDecide):
    """A birth so near another verified one of the same family that it may be the same; facts: event, other."""

    code = "same_birth"


class Undecided(MustDecide):
    """A commit that would end a conflict which its author may not decide; it waits for somebody who may; facts: type, field."""

    code = "undecided"


class OpenConflict(MustDecide):
    """A step that cannot be taken while its field is in conflict; facts: field."""

    code = "open_conflict"


class TwoTypes(BadInput):
    """Two records of different types cannot be one; facts: types."""

    code = "two_types"


class AlreadyOne(BadInput):
    """Two records that were merged already, or the same one twice."""

    code = "already_one"


class NotOne(BadInput):
    """Two records that are not merged cannot be split."""

    code = "not_one"


class Outdated(FieldsyncError):
    """Two programs of different versions met, and one of them must be updated; facts: what, theirs, ours."""

    code = "outdated"
    exit = 11
    status = 409

    def told(self) -> "Outdated":
        """Return the same as the other side is to be told it."""
        turned = self.facts | {"theirs": self.facts.get("ours"), "ours": self.facts.get("theirs")}
        return (PeerOutdated if isinstance(self, BadVersion) else BadVersion)(**turned)


class BadVersion(Outdated):
    """This program is too old for what it met."""

    code = "bad_version"


class PeerOutdated(Outdated):
    """The program at the other end is too old for this one."""

    code = "peer_outdated"


class Stopped(FieldsyncError):
    """The person at the keyboard ended it; facts: unsent."""

    code = "stopped"
    exit = 130
    status = 499

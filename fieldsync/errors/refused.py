"""Refused operations (exit 7), and a store that stays locked (exit 4)."""

from fieldsync.errors.base import FieldsyncError


class Locked(FieldsyncError):
    """The store is locked."""

    code = "locked"
    exit = 4
    status = 401


class WrongPassphrase(Locked):
    """The passphrase (or key file) does not open this store."""

    code = "wrong_passphrase"


class NoSecret(Locked):
    """No secret was given for the store, and there is no terminal to ask on."""

    code = "no_secret"


class Refused(FieldsyncError):
    """Not allowed."""

    code = "refused"
    exit = 7
    status = 403


class Revoked(Refused):
    """This device is locked."""

    code = "revoked"


class DevicePending(Refused):
    """The device is pending approval: its commits are quarantined, and it pulls nothing."""

    code = "device_pending"


class ManyPending(Refused):
    """A further copy of a device, while the allowed number of copies is already pending; facts: limit."""

    code = "many_pending"


class ManySuccessors(Refused):
    """A successor device beyond its family's daily limit; facts: limit."""

    code = "many_successors"


class OutOfHands(Refused):
    """A commit first received after its device was lost or stolen; quarantined until somebody releases or drops it."""

    code = "out_of_hands"


class WrongWords(Refused):
    """The given words are not those of the device's key."""

    code = "wrong_words"


class SaidAgain(Refused):
    """A commit of a copied device that the upstream server has already, re-issued by another device."""

    code = "said_again"


class Dropped(Refused):
    """A quarantined commit that a person dropped; facts: was (the reason that it had), note."""

    code = "dropped"


class UnknownDevice(Refused):
    """The server does not know this device; facts: reason (branch, where a branch server is told so)."""

    code = "unknown_device"
    status = 401


class BadSignature(Refused):
    """An invalid signature."""

    code = "bad_signature"
    status = 401


class StaleNonce(Refused):
    """A nonce used before or never issued: a replay, or a lost answer."""

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
    """No consent covers the data to share; facts: reason."""

    code = "consent_needed"


class StoreExists(Refused):
    """There is a store in this folder already; facts: home."""

    code = "store_exists"

"""Damaged or tampered data (exit 8)."""

from fieldsync.errors.base import FieldsyncError


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
    """A device with two commits of one number, proof of a clone; facts: device, seq."""

    code = "forked"


class WrongServer(Damaged):
    """The server's certificate is not the pinned one; facts: server."""

    code = "wrong_server"


class SlotPolicy(Damaged):
    """A key slot whose parameters are out of policy; nothing was derived."""

    code = "slot_policy"


class OtherDictionary(Damaged):
    """The server lacks the sender's compression dictionary; the data is sent again without it."""

    code = "other_dictionary"


class BadBundle(Damaged):
    """A damaged bundle, or one for another recipient or from an unknown sender; nothing was applied; facts: reason."""

    code = "bad_bundle"

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

"""Whose a device is."""

from functools import cache

from fieldsync.core.settle import Person
from fieldsync.store import ReadTx


def person_of(tx: ReadTx) -> Person:
    """Return the function that says whose a device is; one that is not known is a person of its own."""

    @cache
    def person(device: bytes) -> object:
        known = tx.device(device)
        return device if known is None or not known.person else known.person

    return person

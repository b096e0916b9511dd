"""Finding a record by what a person calls it: its id, its code, or any unique beginning of either."""

import re

from fieldsync import errors
from fieldsync.core import codes
from fieldsync.store import Tx
from fieldsync.store.contract import Row

SHORTEST = 4
_HEX = re.compile(r"[0-9a-f]+")


def find_row(tx: Tx, ref: str) -> Row:
    """Return the record of that name; NoRecord, Ambiguous."""
    record = find_id(tx, ref)
    return tx.rows([record])[record]


def find_id(tx: Tx, ref: str) -> bytes:
    """Return the id of the record of that name; NoRecord, Ambiguous."""
    wanted = ref.strip()
    if len(wanted) < SHORTEST:
        raise errors.NoRecord(ref=ref, shortest=SHORTEST)
    digits = wanted.lower().replace("-", "")
    low = high = b"\xff"  # no id at all
    if _HEX.fullmatch(digits) and len(digits) <= 32:
        low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    found = tx.ids_like(low, high, codes.narrow(wanted))
    if not found:
        raise errors.NoRecord(ref=ref)
    if len(found) > 1:
        # JBL-B-5 is that record's code without its check characters, and not the beginning of JBL-B-54
        exact = tx.ids_like(b"\xff", b"\xff", codes.narrow(wanted) + "-")
        if len(exact) != 1:
            raise errors.Ambiguous(ref=ref, codes=[row.code for row in tx.rows(found).values()])
        return exact[0]
    return found[0]

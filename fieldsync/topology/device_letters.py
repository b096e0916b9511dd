"""Device letters, unique in an organisation. Each branch assigns letters from a range of its own, without asking.

A branch of the top server may name a thousand devices, one further below thirty.
"""

from fieldsync.core import codes
from fieldsync.store import ReadTx, Tx


def take_next(tx: Tx, *, branch: bool = False) -> tuple[str, int]:
    """Take the next device's letters; for a branch also the number of the first that it may give (0 for others)."""
    lettered = tx.settings.next_letters
    if branch:
        room = _letters_left(tx)
        held = {codes.number_of(letters) for one in tx.devices() if codes.are_letters(letters := one.letters or "")}
        while taken := held.intersection(range(lettered, lettered + 1 + room)):
            lettered = max(taken) + 1  # one that a restored server had forgotten has come back with them
    else:
        room = 0
        while tx.has_letters(codes.letters_of(lettered)):
            lettered += 1
    tx.settings.next_letters = lettered + 1 + room
    return codes.letters_of(lettered), lettered + 1 if branch else 0


def are_free(tx: ReadTx, letters: str, device: bytes, branch: bytes | None = None) -> bool:
    """Return whether a device may have these letters: no other device has them, and no other branch's range contains them."""
    if not codes.are_letters(letters) or tx.has_letters(letters, besides=device):
        return False
    own = _identities_of(tx, branch) if branch is not None else set[bytes]()
    return not any(_is_in_range(tx, one, letters) for one in tx.branches() - own)


def remember_given(tx: Tx, branch: bytes, device: bytes, letters: str) -> None:
    """Remember letters that a branch gave a device as it might, although another had got them here: codes with them stay valid."""
    if codes.are_letters(letters) and any(_is_in_range(tx, one, letters) for one in _identities_of(tx, branch)):
        tx.peer_settings(device).letters_at_branch = letters


def take_from_above(tx: Tx, device: bytes, letters: str) -> None:
    """Take over a device's letters from the upstream server; codes with those that it had here stay valid."""
    known = tx.device(device)
    if known is None or known.letters in (None, letters) or not codes.are_letters(letters):
        return
    if first_letters(tx, device) is None:
        tx.peer_settings(device).letters_at_branch = known.letters
    tx.set_letters(device, letters)


def first_letters(tx: ReadTx, device: bytes) -> str | None:
    """Return the letters that a device was first given, at a branch or here, where it has others by now."""
    return tx.peer_settings(device).letters_at_branch


def _identities_of(tx: ReadTx, branch: bytes) -> set[bytes]:
    """Return the devices that a branch is and was: its family, and one that a restored server had lost and enrolled again."""
    known = tx.device(branch)
    units = known.grants if known is not None else ()
    again = {one for one in tx.branches() if (other := tx.device(one)) is not None and other.grants == units}
    return tx.device_family(branch) | again


def _is_in_range(tx: ReadTx, branch: bytes, letters: str) -> bool:
    first = tx.peer_settings(branch).first_letters
    return first > 0 and 0 <= codes.number_of(letters) - first < _letters_left(tx)


def _letters_left(tx: ReadTx) -> int:
    return 1_000 if tx.settings.upstream is None else 30

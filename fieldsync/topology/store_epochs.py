"""Store epochs: each life of a server's store has one; a restored store begins another, and cursors into the old one are void.

`server restore` begins one. A store restored by copying files learns of it from the first device that
has more from it than it has: a sequence number, an acknowledgement, or an answer. New sequence numbers and commits soon hide lost
ones; answers are counted for each device, so that only this device's own contacts could.
"""

from typing import NamedTuple

import msgspec

from fieldsync.core import codes
from fieldsync.environment import Environment
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.wire.messages import Hello

_SIZE = 8
_THREE_LETTERS = range(24 + 24**2, 24 + 24**2 + 24**3)
_FORMS_SKIPPED = 50
_SKIPPED = 50, 10  # letters that a restored server leaves out, as it may have given them: the top one, and a branch
_FURTHER = (
    1_000  # the top one up to so many more, by chance: of two restores of one backup neither knows what the other gave
)
# what a laptop says of itself is no proof: a false one costs all others one full answer, and not more often than this
_SELDOM_MS = 60 * 60 * 1000


class EpochMeeting(NamedTuple):
    """A server's epoch, whether a device's data from it is valid, and the number of the device's answers."""

    epoch: bytes
    counts: bool
    answers: int


# --- the server -------------------------------------------------------------------------------------------------------


def begin_epoch(tx: Tx, now: int, environment: Environment) -> bytes:
    """Begin a new epoch, and return it."""
    epoch = environment.random_bytes(_SIZE)
    tx.settings.epoch, tx.settings.epoch_begun = epoch, now
    return epoch


def begin_after_restore(tx: Tx, now: int, environment: Environment) -> bytes:
    """Begin a new epoch after a restore: devices that joined since the backup are unknown here, and their letters are not given again."""
    tx.skip_numbers()
    epoch = begin_epoch(tx, now, environment)
    top = tx.settings.upstream is None
    tx.settings.next_letters += _SKIPPED[0] + int.from_bytes(epoch[:4]) % _FURTHER if top else _SKIPPED[1]
    number = int.from_bytes(tx.settings.forms[:4], "big") + _FORMS_SKIPPED
    tx.settings.forms_lost = max(number, tx.settings.forms_lost)
    # three letters: what was numbered since the backup is not known, so numbers go on in a series that was never begun
    tx.settings.serial_series = codes.letters_of(_THREE_LETTERS[int.from_bytes(epoch) % len(_THREE_LETTERS)])
    return epoch


def current_epoch(tx: ReadTx) -> bytes:
    """Return this server's epoch."""
    return tx.settings.epoch


def note_contact(node: Node, tx: Tx, device: Device, hello: Hello, *, counted: bool) -> EpochMeeting:
    """Begin an answer to a device; its hello may show that we were restored. `counted` unless the device has not come for it."""
    epoch, begun = tx.settings.epoch, tx.settings.epoch_begun
    known = tx.peer_settings(device.id)
    answers = known.answered
    lost = False
    if hello.epoch in (b"", epoch):
        lost = (
            hello.answers > answers
            or hello.receipt > tx.log_head(device.id)
            or any(taken > tx.arrival_of(unit) for unit, taken in _cursors_of_hello(hello).items())
        )
        if lost and not 0 <= node.clock() - begun < _SELDOM_MS:
            epoch = begin_after_restore(tx, node.clock(), node.environment)
        elif hello.answers > answers:
            counted = False  # the device is to tell of it again
    if counted:
        answers += 1
        known.answered = answers
    return EpochMeeting(epoch, not lost and hello.epoch in (b"", epoch), answers)


def notices_loss(hello: Hello, epoch: bytes, answers: int) -> bool:
    """Return whether the answer will show a device that this store was restored: it then states its position again."""
    return hello.epoch not in (b"", epoch) or answers < hello.answers


def _cursors_of_hello(hello: Hello) -> dict[str, int]:
    """Return how far each channel was taken, each once however often it is named."""
    return {unit: taken for unit, taken, _ in hello.cursors}


# --- the laptop -------------------------------------------------------------------------------------------------------


def last_epoch_of(tx: ReadTx, server: bytes) -> bytes:
    """Return the last epoch received from a server."""
    return tx.peer_settings(server).epoch


def note_epoch(tx: Tx, server: bytes, epoch: bytes) -> bool:
    """Note a server's store epoch; where it is a new one, reset all cursors and return True (False for the first epoch)."""
    before = last_epoch_of(tx, server)
    again = bool(before) and before != epoch  # a bundle repeats it where the hello is not known
    if again:
        suspect_loss(tx, server)
    tx.peer_settings(server).epoch = epoch
    return again


def has_lost_answers(tx: Tx, server: bytes, device: bytes, told: int) -> bool:
    """Return whether a server counts fewer answers than it has given: it lost some, and may begin another epoch only later."""
    fewer = told < count_answers(tx, server, device)
    if fewer:
        suspect_loss(tx, server)
    return fewer


def count_answers(tx: ReadTx, server: bytes, device: bytes) -> int:
    """Return a server's count of answers to this device, as last received."""
    return tx.peer_settings(device).answers_from[server.hex()]


def note_answers(tx: Tx, server: bytes, device: bytes, told: int, *, again: bool) -> None:
    """Store a server's count of answers; an older acknowledgement (by bundle) or another epoch has a lower one."""
    answered = tx.peer_settings(device).answers_from
    answered[server.hex()] = told if again else max(told, answered[server.hex()])


def suspect_loss(tx: Tx, server: bytes) -> None:
    """Ask a server for everything again, and drop nothing because it does not have it.

    All that the two tell each other by numbers begins anew: a restored server gives the same numbers again, to other things.
    """
    tx.restart_cursors(server)
    known = tx.peer_settings(server)
    known.devices_cursor = known.refused_cursor = known.receipts_cursor = known.judged_cursor = known.passed_cursor = 0
    known.clocks_cursor = known.pairs_cursor = known.heard_cursor = known.enrolled_cursor = known.noted_cursor = 0
    known.reported_cursor = 0
    known.suspected = True


def is_suspected(tx: ReadTx, server: bytes) -> bool:
    """Return whether a server may have lost data that this laptop holds."""
    return tx.peer_settings(server).suspected


def trust_server(tx: Tx, server: bytes) -> None:
    """Note that the server holds all our data again."""
    tx.peer_settings(server).suspected = False


def without_cursors(hello: Hello) -> Hello:
    """Return a hello without its device's position, which belongs to another store epoch."""
    return msgspec.structs.replace(
        hello, devices=0, refused=0, servers=b"", receipts=0, judged=0, passed=0, clocks=0, pairs=0, reserved_told=0,
        cursors=(), ahead=(),
    )  # fmt: skip

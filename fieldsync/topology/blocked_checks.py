"""Reasons that prevent the digest check: recorded per server, shown in `status`, removed after the next check."""

from msgspec import Struct

from fieldsync.core import stamp
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import KnownServer
from fieldsync.store.settings import Obstacle
from fieldsync.topology import upstream

COMMITS, FORMS, BUDGET, PENDING = "commits", "forms", "budget", "device_pending"
"""Commits that the server does not hold, forms that one side does not have, an answer cut short, a device that waits for approval.

Else: an error's code.
"""
REASONS = (COMMITS, FORMS, BUDGET, PENDING)

NIGHT_MS = 12 * 60 * 60 * 1000


class BlockedCheck(Struct, frozen=True):
    """A reason why this store and a server could not be compared.

    what: "commits", "forms", "budget", "device_pending", or an error's code.
    since: when it first occurred (UTC, RFC 3339).
    hint: what to do, in the user's language.
    devices: the letters of devices whose commits the server lacks.
    """

    what: str
    since: str
    hint: str
    server: str
    devices: list[str]


class CheckObstacle(Struct, frozen=True):
    """An obstacle as shown by `status`; `devices` are the letters of those whose commits the server lacks."""

    server: KnownServer
    obstacle: Obstacle
    devices: tuple[str, ...]

    def with_hint(self, hint: str) -> BlockedCheck:
        """Return it with a hint in the person's language."""
        at = stamp.time_text(self.obstacle.since)
        return BlockedCheck(self.obstacle.what, at, hint, self.server.name, list(self.devices))


def note_check(tx: Tx, server: bytes, what: str | None, now: int) -> None:
    """Note what kept a check from being made; None: it was made."""
    known = tx.peer_settings(server)
    before = known.blocked_check
    if what is not None:
        known.blocked_check = Obstacle(what, before.since if before is not None else now, now)
    elif before is not None:
        known.blocked_check = None


def obstacles(node: Node, tx: ReadTx) -> list[tuple[KnownServer, Obstacle]]:
    """Return obstacles that have prevented checks for a day: a branch syncs by night, a laptop at any time."""
    found = []
    for server in tx.servers():
        one = tx.peer_settings(server.id).blocked_check
        if one is not None and not (node.is_laptop and one.last - one.since < NIGHT_MS):
            found.append((server, one))
    return found


def list_blocked(node: Node) -> list[CheckObstacle]:
    """Return the same for people, with the devices that it is about."""
    found = []
    with node.store.read() as tx:
        for server, one in obstacles(node, tx):
            mine = [
                d for d in (tx.device(node.device), *upstream.carried_devices(tx, node, server.id)) if d is not None
            ]
            behind = [d for d in mine if one.what == COMMITS and d.head > tx.acknowledged_seq(server.id, d.id)]
            found.append(CheckObstacle(server, one, tuple(d.letters or d.id.hex() for d in behind)))
    return found

"""A laptop's former identities: their commits are sent to any server that lacks them, as they were signed.

A copied store becomes a device of its own (device_renewal.py). If the server is then restored from an older backup, this laptop may
be the only holder of its old devices' commits. So before it deletes a key it signs their chain, and has the old key sign its
successor; with both, any server that knows the first of them accepts the commits of all, from any carrier.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType

from msgspec import Struct

from fieldsync.core import codes
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey, device_id, verify_signature
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.topology import device_families, device_letters, upstream
from fieldsync.topology.sender import Sender
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind, http_size
from fieldsync.wire.messages import Former, Peer
from fieldsync.wire.protocols import NAMES_FORMER

_PART = 200  # judgements in one frame
_SEALED_COMMITS, _SEALED_BYTES = 256, 32 * 1024  # what stands between two seals fits a frame
MOST_A_DAY = 8  # former identities of one family that a server first hears of


# --- the laptop -------------------------------------------------------------------------------------------------------


def prepare_loss(tx: Tx, key: DeviceKey, heir: bytes) -> None:
    """Prepare the deletion of a key: sign its device's chain, and its successor's key."""
    seals, count, size = [], 0, 0
    last = None
    for one in tx.commits_behind(key.device, 0):
        here = len(one.body or b"")
        if last is not None and (count == _SEALED_COMMITS or size + here > _SEALED_BYTES):
            seals.append(last)
            count = size = 0
        count, size, last = count + 1, size + here, one
    if last is not None:
        seals.append(last)
    tx.add_chain_signatures(key.device, [(one.seq, chain.sign_chain(key, one.seq, one.chain)) for one in seals])
    tx.peer_settings(device_id(heir)).succession_proof = key.sign(chain.successor_message(key.device, heir))


def identity_frames(sender: Sender, after: Mapping[bytes, int], room: int) -> Iterator[bytes]:
    """Yield former identities' commits that a server lacks, within the space."""
    if sender.node.is_laptop and sender.protocol >= NAMES_FORMER:
        for frame in _all_frames(sender, after):
            room -= http_size(frame)
            if room < 0:
                return
            yield frame


def _all_frames(sender: Sender, after: Mapping[bytes, int]) -> Iterator[bytes]:
    yield from question_frames(sender, after)
    yield from upstream.sealed_frames(sender, after)


def question_frames(sender: Sender, after: Mapping[bytes, int] = MappingProxyType({})) -> Iterator[bytes]:
    """Yield the frame that names former identities whose commits a server has not acknowledged, and so asks how far it has them.

    In a bundle, which several servers can read, these are those that it carries: the commits behind `after`.
    """
    node, server = sender.node, sender.server.id
    with node.store.read() as tx:
        others = upstream.carried_devices(tx, node, server)
        lacked = [one for one in others if one.head > after.get(one.id, tx.acknowledged_seq(server, one.id))]
        heads = tuple((one.id, one.head, (one.chain or b"")[:8]) for one in lacked)
        known = [tx.device(node.device), *(tx.device(one.copy_of) for one in tx.successors() if one.copy_of)]
        named = tuple(
            Former(one.key, one.copy_of or b"", one.letters or "", tx.peer_settings(one.id).succession_proof)
            for one in {one.id: one for one in [*others, *known] if one is not None}.values()
            if one.key is not None
        )
    if heads:
        sender.carries = True
        yield sender.codec.pack_frame(FrameKind.PEER, messages.encode(Peer(heads=heads, former=named)))


# --- the server -------------------------------------------------------------------------------------------------------


class FormerIdentity(Struct, frozen=True):
    """A former identity of a laptop's device: the successor of `original` (None: not stated), succeeded by `heir`."""

    device: bytes
    key: bytes
    letters: str
    original: bytes
    heir: bytes


def line_of(device: bytes, named: Sequence[Former]) -> dict[bytes, FormerIdentity]:
    """Return this device's predecessors, the latest first, each of which signed its successor."""
    said = {device_id(one.key): one for one in named}
    line: dict[bytes, FormerIdentity] = {}
    at = device
    while (one := _signed_predecessor(said, at)) is not None and one not in line and one != device:
        before = said[one]
        original = _signed_predecessor(said, one)
        line[one] = FormerIdentity(one, before.key, before.letters, original or b"", at)
        at = one
    return line


def _signed_predecessor(said: Mapping[bytes, Former], device: bytes) -> bytes | None:
    """Return the device that signed this one as its successor."""
    one = said.get(device)
    before = said.get(one.copy_of) if one is not None else None
    if one is None or before is None:
        return None
    return (
        one.copy_of if verify_signature(before.key, chain.successor_message(one.copy_of, one.key), one.proof) else None
    )


def unknown_identities(
    device_of: Callable[[bytes], Device | None], line: Mapping[bytes, FormerIdentity], device: bytes
) -> list[FormerIdentity]:
    """Return the unknown devices of a line from the first that is known up to this one; none where it may not be taken.

    Of one that is locked out nobody goes on; and who is known to go on for one device does so for no other.
    """
    found: list[FormerIdentity] = []
    at = device
    while (original := device_of(at)) is None or original.key is None:
        link = line.get(at)
        if link is None or not link.original:
            return []
        found.append(link)
        at = link.original
    if not found or original.state == "revoked":
        return []
    before, heir = device, device_of(line[device].heir)
    while heir is None or heir.key is None:  # the sender is known
        before = line[before].heir
        heir = device_of(line[before].heir)
    return found[::-1] if heir.copy_of in (None, before) else []


def enrol_identities(tx: Tx, line: Mapping[bytes, FormerIdentity], device: bytes, now: int) -> None:
    """Enrol a former identity that succeeded a known device when its commits arrive; it is valid for these only.

    A family may have a few new ones a day: naming one in a frame is free for the sender, and every node learns of each.
    """
    links = unknown_identities(tx.device, line, device)
    if not links:
        return
    original = tx.device(links[0].original)
    assert original is not None
    count = device_families.count_today(tx, "former", original, now, len(links), most=MOST_A_DAY)
    with tx.batch_copies():
        for one in links[:count]:
            _enrol_identity(tx, one, now)


def _enrol_identity(tx: Tx, link: FormerIdentity, now: int) -> None:
    original, new = tx.device(link.original), link.device
    assert original is not None
    free = codes.are_letters(link.letters) and not tx.has_letters(link.letters)
    letters = link.letters if free else device_letters.take_next(tx)[0]
    tx.enrol_device(new, link.key, letters, original.person or "", original.grants, now, chain.chain_start(new))
    further = device_families.is_further(tx, original.id, new)
    tx.set_successor(original.id, new)
    tx.set_pending(new, pending=further)
    tx.set_device_state(new, "forked")
    device_families.inherit_history(tx, original.id, new)


def lacking_identities(
    tx: ReadTx, line: Mapping[bytes, FormerIdentity], asked: Iterable[bytes]
) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield (device, 0, chain) of acceptable devices without any commits here yet."""
    device_of = cache(tx.device)
    for one in asked:
        if one in line and unknown_identities(device_of, line, one):
            yield one, 0, chain.chain_start(one)[:8]


def laptop_parts(
    tx: ReadTx, device: Device, asked: Mapping[bytes, int], judged: int, line: Mapping[bytes, FormerIdentity]
) -> Iterator[Peer]:
    """Yield how far a server holds the devices that a laptop named, or whose commits it brought; and what became of refused ones.

    A copy may not have heard which of its former commits were quarantined, or taken after all: from the number `judged` on.
    """
    devices = [one for one in map(tx.device, asked) if one is not None and one.key is not None]
    heads = (*upstream.heads_of(tx, devices, asked), *lacking_identities(tx, line, asked))
    parted = upstream.other_histories_of(tx, devices)
    family = {*asked, *predecessors(tx, device)}
    refused = [row for row in tx.verdicts_since(judged) if row[1] in family] if family else []
    for start in range(0, len(refused), _PART):
        some = refused[start : start + _PART]
        yield Peer(refused=tuple((one, seq, code, facts) for _, one, seq, code, facts in some), judged=some[-1][0])
    if heads or parted:
        yield Peer(heads=heads, parted=parted)


def predecessors(tx: ReadTx, device: Device) -> Iterator[bytes]:
    """Yield the devices that one went on for, one after the other."""
    seen = {device.id}
    while device.copy_of is not None and device.copy_of not in seen:
        yield device.copy_of
        seen.add(device.copy_of)
        before = tx.device(device.copy_of)
        if before is None:
            return
        device = before

"""What a history is about: some go after states that are rare, and do what shows a fault only then."""

import random
from collections.abc import Callable, Iterator

from fieldsync.core.state import Register, registers
from fieldsync.store.contract import Row
from tests.model.offices import cut_line, servers_of, unsent
from tests.model.operations import Step
from tests.model.oracle.commits import Commit
from tests.model.oracle.fields import SHELTER
from tests.model.people import FREE, value
from tests.model.world import World

Occasion = Callable[[World, random.Random], Step | None]

RATE = 0.35  # of the steps of a history with a theme


def draw(chance: random.Random) -> str:
    """Return a history's theme; most have none."""
    return chance.choice(("", "", "", *sorted(_OCCASIONS)))


def occasion(world: World, theme: str, chance: random.Random) -> Step | None:
    """Return a step for which there is an occasion now, if there is any; the rarest before others, mostly."""
    found = (one(world, chance) for one in _OCCASIONS.get(theme, ()) if chance.random() < 0.7)
    return next((step for step in found if step is not None), None)


# --- news: laptops hear at other servers what their own has not heard ---------------------------------------------------


def _spread(world: World, chance: random.Random) -> Step | None:
    """Have a laptop send what it saved; or hear, away from its office perhaps, where somebody sent something last."""
    if chance.random() < 0.3:
        return None
    sending = [name for name in world.laptops if unsent(world, name)]
    if sending and chance.random() < 0.5:
        who = chance.choice(sending)
        return _sync(who, world.server_of[who], chance)
    hearing = [name for name in world.laptops if world.fed in servers_of(world, name)]
    elsewhere = [name for name in hearing if world.server_of[name] != world.fed]
    return _sync(chance.choice(elsewhere or hearing), world.fed, chance) if hearing else None


def _sync(who: str, server: str, chance: random.Random) -> Step:
    return Step("sync", {"who": who, "server": server, "cut": cut_line(chance)})


def _edit(who: str, record: str, field: str, chance: random.Random) -> Step:
    return Step("edit", {"who": who, "record": record, "fields": {field: value(field, chance)}})


def _write_elsewhere(world: World, chance: random.Random) -> Step | None:
    """Have somebody who syncs with headquarters edit a shelter that a laptop of a branch has, too."""
    there = {one for who in _people(world) if world.server_of[who] != "hq" for one in world.held(who, SHELTER)}
    found = [(who, one) for who in _people(world) if world.server_of[who] == "hq" for one in world.held(who, SHELTER)]
    both = [(who, one) for who, one in found if one in there and not unsent(world, who)]
    if not both or chance.random() < 0.7:
        return None
    who, record = chance.choice(both)
    return _edit(who, record, chance.choice(FREE), chance)


def _edit_over_news(world: World, chance: random.Random) -> Step | None:
    """Have a laptop write over what its branch has not heard of: the branch has to wait for that."""
    known = [
        (who, world.label_of(row.state.record), name)
        for who, row, theirs in _beside_their_branches(world)
        if theirs is not None
        for name in _newer(row, theirs, world.nodes[who].device)
        if name in FREE
    ]
    return _edit(*chance.choice(known), chance) if known else None


def _over_news(world: World) -> Iterator[tuple[str, str, list[Commit]]]:
    """Yield laptops with a shelter of which they have saves over news that their branch has not heard, and from which on."""
    for who, row, theirs in _beside_their_branches(world):
        if theirs is None:
            continue
        known, device = registers(theirs.state), world.nodes[who].device
        own = [
            one
            for one in world.ledger.by_record[row.state.record]
            if one.device == device and not _has_heard(world, world.server_of[who], one)
        ]
        over = [
            one.seq
            for one in own
            for name, seen in one.seen.items()
            if any(dot[0] != device and not _has(known.get(name), dot) for dot in seen.items())
        ]
        if over:
            yield who, world.label_of(row.state.record), [one for one in own if one.seq >= min(over)]


def _edit_again(world: World, chance: random.Random) -> Step | None:
    """Have whoever wrote over such news write another field, for which the branch need not wait."""
    found = [(who, record, own[0].fields) for who, record, own in _over_news(world) if len(own) == 1]
    if not found:
        return None
    who, record, fields = chance.choice(found)
    return _edit(who, record, chance.choice([one for one in FREE if one not in fields]), chance)


def _send_over_news(world: World, chance: random.Random) -> Step | None:
    """Have such saves come to the branch."""
    found = [who for who, _, own in _over_news(world) if len(own) > 1]
    who = chance.choice(found) if found else ""
    return _sync(who, world.server_of[who], chance) if found else None


def _has_heard(world: World, server: str, commit: Commit) -> bool:
    return server in world.ledger.holders[commit.identity]


def _move_unheard(world: World, chance: random.Random) -> Step | None:
    """Have somebody else move what a laptop holds and its branch never heard of, or with a resident of that kind, to another unit."""
    found = set[tuple[str, str]]()
    for who, server in world.server_of.items():
        if who in world.laptops and server in world.branches:
            for label in set(world.held(who)) - set(world.held(server)):
                row = world.row(who, label)
                owner = str(row.doc.get("shelter") or "").replace("-", "") if row is not None else ""
                shelter = world.label_of(bytes.fromhex(owner)) if owner else label
                found |= {
                    (one, shelter) for one in _people(world) if one != who and shelter in world.held(one, SHELTER)
                }
    if not found:
        return None
    who, record = chance.choice(sorted(found))
    return Step("move", {"who": who, "record": record, "unit": chance.choice(list(world.branches.values()))})


def _remove_over_waiting(world: World, chance: random.Random) -> Step | None:
    """Have somebody remove a shelter of which they know a device's save, and an earlier one of that waits at their server; or hear of it."""
    found, hearing = list[tuple[str, str]](), list[tuple[str, str]]()
    for server in world.servers:
        with world.nodes[server].store.read() as tx:
            waiting = [(device, seq) for device, seqs in tx.waiting_commits().items() for seq in seqs]
        labels = {(world.label_of(one.record), dot) for dot in waiting for one in world.ledger.by_dot.get(dot, ())}
        for who in _people(world):
            for label, (device, seq) in sorted(labels):
                row = world.row(who, label) if world.server_of[who] == server else None
                heads = [head for one in registers(row.state).values() for head in one.heads] if row else []
                if world.nodes[who].device != device and row is not None:
                    later = any(one.device == device and one.seq > seq for one in heads)
                    (found if later else hearing).append((who, server) if not later else (who, label))
    if not found:
        return _sync(*chance.choice(hearing), chance) if hearing and chance.random() < 0.5 else None
    who, record = chance.choice(found)
    return Step("remove", {"who": who, "record": record})


def _people(world: World) -> list[str]:
    return sorted(name for name in world.laptops if name != "huda")


def _beside_their_branches(world: World) -> Iterator[tuple[str, Row, Row | None]]:
    """Yield laptops with a shelter as they have it and as their branch has it."""
    for who in _people(world):
        server = world.server_of[who]
        if server in world.branches:
            for label in world.held(who, SHELTER):
                row = world.row(who, label)
                if row is not None:
                    yield who, row, world.row(server, label)


def _newer(mine: Row, theirs: Row, device: bytes) -> list[str]:
    """Return the registers in which one has heads of other devices that the other does not have."""
    known = registers(theirs.state)
    return [
        name
        for name, register in sorted(registers(mine.state).items())
        if any(head.device != device and not _has(known.get(name), head.dot) for head in register.heads)
    ]


def _has(register: Register | None, dot: tuple[bytes, int]) -> bool:
    if register is None:
        return False
    return any(head.dot == dot for head in register.heads) or dot[1] <= register.seen.get(dot[0], 0)


# --- copies: laptops and servers come back from older copies, one after the other ---------------------------------------


def _copy(world: World, chance: random.Random) -> Step | None:
    """Copy headquarters, then a laptop with work that it has not sent."""
    copied = {of for _, of, _ in world.images.values()}
    if len(world.images) >= 4:
        return None
    written = [name for name in _people(world) if name not in copied and unsent(world, name)]
    if "hq" in copied and not written:
        return None
    who = chance.choice(written) if "hq" in copied else "hq"
    return Step(chance.choice(("image", "backup", "backup")), {"who": who, "image": world.fresh("image")})


def _put_back_laptop(world: World, chance: random.Random) -> Step | None:
    found = [
        one for one, (_, who, _) in sorted(world.images.items()) if who in world.laptops and who not in world.copied
    ]
    return Step("put_back", {"image": chance.choice(found)}) if found else None


def _bring_copied(world: World, chance: random.Random) -> Step | None:
    """Have a laptop that was put back, or a branch, meet headquarters."""
    copied = [name for name in _people(world) if name in world.copied and "hq" in servers_of(world, name)]
    if not copied:
        return None
    if chance.random() < 0.5:
        return Step("night", {"branch": chance.choice(sorted(world.branches)), "cut": cut_line(chance)})
    return _sync(chance.choice(copied), "hq", chance)


def _put_back_headquarters(world: World, chance: random.Random) -> Step | None:
    """Put headquarters back once a laptop was, which comes first by far most often."""
    found = [one for one, (_, who, _) in sorted(world.images.items()) if who == "hq"]
    if not found or "hq" in world.copied or world.copied.isdisjoint(world.laptops) or chance.random() < 0.7:
        return None
    return Step("put_back", {"image": chance.choice(found)})


# --- power: servers lose it before all that they told others is on their disks ------------------------------------------


def _bring_news(world: World, chance: random.Random) -> Step | None:
    """Have a branch hear what headquarters got last."""
    branch = chance.choice(sorted(world.branches))
    return Step("night", {"branch": branch, "cut": cut_line(chance)}) if world.fed == "hq" else None


def _lose_power(world: World, chance: random.Random) -> Step | None:
    """Have the power fail while a server packs an answer, and has something that is not on its disk."""
    found = [
        (server, who)
        for who, server in sorted(world.server_of.items())
        if who in world.nodes and world.disks[server].is_behind
    ]
    if not found:
        return None
    server, who = chance.choice(found)
    during = Step("reply", {"server": server, "who": who, "bundle": world.fresh("bundle")})
    changes, luck = chance.choice((1, 1, 2, 4, 12)), chance.randrange(1 << 31)
    return Step("power_loss", {"who": server, "during": during.json(), "changes": changes, "luck": luck})


def _take_along(world: World, chance: random.Random) -> Step | None:
    """Have an answer arrive that a server packed before it lost its power."""
    found = [
        (target, bundle)
        for bundle, (_, sender, target) in sorted(world.bundles.items())
        if sender in world.lost_power and bundle not in world.arrived and target in world.nodes
    ]
    if not found:
        return None
    who, bundle = chance.choice(found)
    return Step("unpack", {"who": who, "bundle": bundle})


_OCCASIONS: dict[str, tuple[Occasion, ...]] = {
    "news": (
        _remove_over_waiting,
        _send_over_news,
        _edit_again,
        _edit_over_news,
        _move_unheard,
        _write_elsewhere,
        _spread,
    ),
    "copies": (_put_back_headquarters, _put_back_laptop, _copy, _bring_copied),
    "power": (_take_along, _lose_power, _bring_news),
}

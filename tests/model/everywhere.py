"""Final checks on every node: the model's values, all permitted records, and no others."""

from collections.abc import Iterable

from fieldsync.core.grants import covering_grant
from fieldsync.core.state import registers
from fieldsync.core.units import LEFT, is_within
from fieldsync.protocol.channel_delta import visible_channels
from fieldsync.replica.node import Node
from fieldsync.store.contract import RecordQuery, Row
from tests.cast import rows
from tests.model import cast
from tests.model.endings import End, differing, ending, heads_of
from tests.model.oracle import fields
from tests.model.oracle.commits import Write, field_of
from tests.model.oracle.records import Record, shown
from tests.model.oracle.registers import same
from tests.model.oracle.settling import Must
from tests.model.world import Broken, World


def _may(world: World, end: End, name: str) -> set[bytes]:
    """Return the records that live in a node's units."""
    node = world.nodes[name]
    if name == "hq":
        return set(end.office.records)
    if name in world.branches:
        return end.office.within([world.branches[name]])
    return end.office.within(grant.unit for grant in node.grants)


def _must(world: World, end: End, name: str) -> set[bytes]:
    """Return those that it has by now: of a laptop's units its own branch may serve only some."""
    server = world.server_of.get(name, "hq")
    return _may(world, end, name) & _may(world, end, server)


def _held(world: World, name: str) -> dict[bytes, Row]:
    """Return a node's records in its units; a branch keeps what has left them until its laptops have heard."""
    node = world.nodes[name]
    found = rows(node)
    if name not in world.branches:
        return found
    with node.store.read() as tx:
        inside = {channel.n for channel in visible_channels(tx, tx.settings.upstream_grants)}
    return {record: row for record, row in found.items() if not inside.isdisjoint(row.channels)}


def _nodes(world: World) -> Iterable[tuple[str, Node]]:
    return (
        (name, node)
        for name, node in world.nodes.items()
        if node.role != "partner" and not (name in world.laptops and world.locked(name))
    )


@ending("scope")
def scope(world: World, end: End) -> None:
    """Every node holds what lives in its units, and nothing else."""
    for name, _ in _nodes(world):
        found = _held(world, name).keys()
        kept = {one.record for one in end.logged if one.dot in end.refused and one.device in _identities(world, name)}
        kept |= _unserved(world, name)
        for record in found - _may(world, end, name) - end.incomplete - kept:  # what waits keeps its record
            raise Broken(
                "scope", f"{name} holds {world.label_of(record)}, which lives in {sorted(_units(end, record))}"
            )
        for record in _must(world, end, name) - found - end.incomplete:
            raise Broken(
                "scope", f"{name} lacks {world.label_of(record)}, which lives in {sorted(_units(end, record))}"
            )


def _identities(world: World, name: str) -> set[bytes]:
    """Return a laptop's device and those that it was before, whose work is in its log: what is refused of it stays with its author."""
    node = world.nodes[name]
    with node.store.read() as tx:
        former = {one.id for one in tx.devices() if one.head} if node.is_laptop else set()
    return {node.device} | former


def _unserved(world: World, name: str) -> set[bytes]:
    """Return what a laptop holds only in units outside its branch's: what leaves those it hears from a server that has them."""
    branch = world.server_of.get(name)
    if branch not in world.branches:
        return set()
    with world.nodes[name].store.read() as tx:
        outside = {
            one.n for one in tx.channels() if one.unit != LEFT and not is_within(one.unit, world.branches[branch])
        }
    return {record for record, row in _held(world, name).items() if row.channels and outside.issuperset(row.channels)}


def _units(end: End, record: bytes) -> set[str]:
    return end.office.units(record) if record in end.office.records else {"no unit: headquarters has it not"}


@ending("equal")
def equal(world: World, end: End) -> None:
    """Every node has the registers that headquarters has of its records."""
    for name, _ in _nodes(world):
        must = _must(world, end, name)
        for record, row in _held(world, name).items():
            if record in end.rows and record in must and record not in end.incomplete:
                names = {*differing(heads_of(row), heads_of(end.rows[record]))} - world.lost_names()
                if names:
                    raise Broken(
                        "equal", f"{name} has other {sorted(names)} of {world.label_of(record)} than headquarters"
                    )


@ending("conflicts")
def values(world: World, end: End) -> None:
    """Every node shows what the policies say, and asks a person exactly where they say so."""
    for name, _ in _nodes(world):
        must = _must(world, end, name)
        for record, row in _held(world, name).items():
            found = end.office.records.get(record)
            if found is not None and record in must and record not in end.incomplete:
                _shown(world, end, name, found, row)


def _shown(world: World, end: End, name: str, record: Record, row: Row) -> None:
    label = world.label_of(record.id)
    asks, lost = end.listing.asks.get(record.id, Must.NO), world.lost_names()
    for field, settled in shown(record, end.off, end.knew).items():
        if field in lost:
            continue
        value = row.doc.get(field)
        if fields.policy(record.type, field) == "log":
            value = [one["text"] for one in value or ()] or None
        if not any(same(value, one) for one in settled.values) and "shown" not in world.skip:
            raise Broken("shown", f"{name} shows {field} of {label} as {value!r}, not as {settled.values!r}")
        asked = field in row.conflicts
        missed = "swallowed_edit" if field == "_deleted" else "missed_conflict"
        check = "false_conflict" if asked else missed
        look = asks if field == "_same_as" else settled.look
        if look is Must.NO and end.repeated(record, field):
            look = Must.EITHER
        if field == "_same_as" and name != "hq" and not end.incomplete.isdisjoint(record.merged_into()):
            look = Must.EITHER  # whoever knows more of that one than headquarters may know that it was removed
        if not look.allows(asked) and check not in world.skip:
            raise Broken(
                check,
                f"{name} {'asks' if asked else 'does not ask'} about {field} of {label}: {_told(world, record, field)}",
            )
    for field in row.conflicts.keys() - {field_of(one) for one in record.registers} - lost:
        raise Broken("false_conflict", f"{name} asks about {field} of {label}, which nobody wrote")


def _told(world: World, record: Record, field: str) -> str:
    def value(one: Write) -> object:
        return one.value.get("reason", one.value) if isinstance(one.value, dict) else one.value

    return ", ".join(f"{one.author}'s {value(one)!r}" for one in record.heads().get(field, ()))


@ending("lists")
def lists(world: World, end: End) -> None:
    """Of records that are one, lists show one and no fewer; who was merged into one that was removed is asked about."""
    for name in ("hq", *(["dima"] if "dima" in world.nodes and not world.locked("dima") else [])):
        with world.nodes[name].store.read() as tx:
            found = {row.state.record for row in tx.select_rows(RecordQuery(deleted=False, standing=True))}
        held = rows(world.nodes[name])
        open_ = end.incomplete if name == "hq" else end.with_merged(end.incomplete)
        for record in (end.listing.yes - found) & held.keys() - open_:
            raise Broken("lists", f"{name} does not list {world.label_of(record)}")
        for record in (end.listing.no & found) - open_:
            raise Broken("lists", f"{name} lists {world.label_of(record)}")


@ending("digests")
def digests(world: World, end: End) -> None:
    """Two digests of a channel are equal exactly when the registers are."""
    for name, node in _nodes(world):
        if name == "hq":
            continue
        above = "hq" if name in world.branches else world.server_of[name]
        server = world.nodes[above]
        theirs, mine = _channels(server), _channels(node)
        with node.store.read() as tx:
            grants = tx.settings.upstream_grants if name in world.branches else node.grants
        for unit in theirs.keys() & mine.keys():
            if covering_grant(grants, unit) is None or not is_within(unit, world.branches.get(above, cast.HQ)):
                continue  # of other units it has what is passing through
            equal_ = mine[unit][1] == theirs[unit][1]
            if not equal_ and world.lost_names():
                continue
            if (mine[unit][0] == theirs[unit][0]) is not equal_:
                how = "the same digest of other registers" if not equal_ else "another digest of the same registers"
                raise Broken("digests", f"{name} has {how} than its server in {unit}")
            if not equal_ and not end.incomplete:
                raise Broken("digests", f"{name} differs from its server in {unit}")


def _channels(node: Node) -> dict[str, tuple[int, dict[bytes, dict[str, object]]]]:
    with node.store.read() as tx:
        units = {one.n: one for one in tx.channels()}
        found: dict[str, tuple[int, dict[bytes, dict[str, object]]]] = {
            one.unit: (one.digest, {}) for one in units.values()
        }
        for row in tx.select_rows():
            content: dict[str, object] = {
                name: [(head.dot, repr(head.value)) for head in register.heads]
                for name, register in registers(row.state).items()
            }
            for n in row.channels:
                found[units[n].unit][1][row.state.record] = content
    return found


@ending("partners")
def partners(world: World, end: End) -> None:
    """A partner's laptop holds the referrals that are shared with it, of what they are about the named fields, and nothing else."""
    if "huda" not in world.nodes or world.locked("huda"):
        return
    node = world.nodes["huda"]
    sent = {"sent", "accepted", "in_progress", "done"}
    may: dict[bytes, set[str]] = {}
    for record, found in end.office.records.items():
        if found.type != fields.REFERRAL:
            continue
        settled = shown(found, end.off, end.knew)
        shared = settled.get("_shared")
        if (
            shared is None
            or cast.PARTNER_UNIT not in (shared.values[0] or ())
            or not set(settled["state"].values) & sent
        ):
            continue
        may[record] = {"_code", *fields.FIELDS[fields.REFERRAL]}
        about = bytes.fromhex(str(settled["person"].values[0]).replace("-", ""))
        may.setdefault(about, {"_code"}).update({"name"})
    for record, row in rows(node).items():
        if record in end.incomplete:
            continue
        if record not in may:
            raise Broken("partners", f"huda holds {world.label_of(record)}, which is not shared")
        over = {field_of(name) for name in registers(row.state)} - may[record]
        if over:
            raise Broken("partners", f"huda holds {sorted(over)} of {world.label_of(record)}, which are not shared")

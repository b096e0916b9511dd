"""Final checks at headquarters: sound stores, correct verdicts, the maxima as heads, and nothing lost."""

from fieldsync.authority import integrity
from fieldsync.review import queue
from tests.model.checks import waits_for_lost
from tests.model.endings import End, differing, ending, heads_of
from tests.model.oracle import judging
from tests.model.oracle.commits import Commit, Dot, Write, field_of, written
from tests.model.oracle.records import Office, unseen
from tests.model.oracle.registers import heads, reopened
from tests.model.world import Broken, World


@ending("check")
def sound(world: World, _end: End) -> None:
    """`check` finds nothing on any node."""
    lost = world.lost_names()
    for name, node in world.nodes.items():
        faults = integrity.check_integrity(node).faults
        if lost and node.is_laptop:  # it knows a field by a name that nobody has any more
            faults = [one for one in faults if one.what != "missing"]
        if faults:
            raise Broken("check", f"{name}: {faults[:2]}")


@ending("forms")
def forms(world: World, _end: End) -> None:
    """Headquarters has the newest forms that it ever published and somebody still has, unless it has published others since it lost them."""
    if world.published_again:
        return
    with world.nodes["hq"].store.read() as tx:
        newest = tx.settings.forms[:4]
    for name, node in world.nodes.items():
        if name in world.laptops and world.locked(name):
            continue
        with node.store.read() as tx:
            if tx.settings.forms[:4] > newest:
                raise Broken("forms", f"{name} has newer forms than headquarters, which published them")


@ending("verdicts")
def verdicts(world: World, end: End) -> None:
    """Headquarters accepts what honest people saved where they might, and of the rest what the design's rule accepts."""
    accepted = {one.identity for one in end.accepted}
    bad: set[Dot] = set()
    for one in sorted(end.logged, key=lambda one: (one.stamp, one.dot)):
        refused = end.refused.get(one.dot)
        fact = world.ledger.facts.get(one.identity)
        if fact is None:
            continue
        if fact.kind == "tampered":
            if refused:
                bad.add(one.dot)
            _tampered(world, end, one, refused)
        elif refused and (one.identity not in accepted or refused != "said_again"):
            whose = {name.removesuffix("'s clone") for name in world.revoked}
            family = fact.node in world.copied and fact.node.removesuffix("'s clone") in whose
            lost_forms = refused == "unknown_form" and "hq" in world.copied  # headquarters has to publish them again
            if (
                fact.locked
                or fact.stale
                or family
                or lost_forms
                or _lost_grants(world, one)
                or _vouched_in_vain(world, end, one, refused)
                or _follows_bad(world, one, bad)
                or waits_for_lost(world, one)
                or end.rests_on_lost_move(one)
                or (refused == "illegal_value" and _has_letters_given_twice(world, one))
            ):
                bad.add(one.dot)
                continue
            raise Broken(
                "verdicts",
                f"an honest save of {one.author} ({sorted(one.fields)} of {world.label_of(one.record)}) is refused: {refused}",
            )


def _lost_grants(world: World, commit: Commit) -> bool:
    """Say whether a save was made by grants that headquarters, put back, has no more: its administrator has to give them again."""
    fact = world.ledger.facts[commit.identity]
    with world.nodes["hq"].store.read() as tx:
        device = tx.device(commit.device)
    known = {(grant.unit, grant.role) for grant in device.grants} if device is not None else set()
    return "hq" in world.copied and not known.issuperset(fact.grants)


def _has_letters_given_twice(world: World, commit: Commit) -> bool:
    """Say whether a disk's image of headquarters, which docs/operations.md forbids, gave the letters in a code to another device, too."""
    letters = str(commit.fields.get("_code", "")).split("-")[-3:-2]
    with world.nodes["hq"].store.read() as tx:
        known = [device for device in tx.devices() if device.letters in letters]
        return "hq" in world.imaged and bool({one.id for one in known} - tx.device_family(commit.device))


def _vouched_in_vain(world: World, end: End, commit: Commit, refused: str) -> bool:
    """Say whether only a branch's word could have a revoked author's save accepted, and its record was ever in other units."""
    if refused != "revoked":
        return False
    server = world.server_of[world.ledger.facts[commit.identity].node.removesuffix("'s clone")]
    everything = Office(map(end.present, end.logged))  # also of a record whose making was refused, too
    units = {one.value for one in everything.owner(commit.record).written("_unit")}
    return server in world.branches and not all(f"{unit}/".startswith(f"{world.branches[server]}/") for unit in units)


def _follows_bad(world: World, commit: Commit, bad: set[Dot]) -> bool:
    """Say whether a commit rests on one that is rightly kept aside: its own device's of that field, or one that it names."""
    about = [one for dot in bad for one in world.ledger.by_dot[dot] if one.record == commit.record]
    return any(
        one.makes or (one.device == commit.device and not one.fields.keys().isdisjoint(commit.fields))
        or any(seen.get(one.device, 0) >= one.seq for seen in commit.seen.values())
        for one in about
    )  # fmt: skip


def _tampered(world: World, end: End, commit: Commit, refused: str | None) -> None:
    record = end.office.records.get(commit.record)
    if record is None or commit.record in end.incomplete:
        return
    ((name, value),) = end.present(commit).fields.items()
    others = [one for one in record.written(name) if one.dot != commit.dot]
    present = {one.dot for one in end.logged}
    here = lambda dot: any(d == dot[0] and n >= dot[1] for d, n in present)  # noqa: E731
    write = Write(commit, value, commit.seen.get(name, {}))
    good = judging.accepted(commit.type, field_of(name), write, others, record.base, here)
    if not good and refused is None and "silent_decision" not in world.skip:
        who = ", ".join(f"{one.author}'s {one.value!r}" for one in others if write.covers(one.dot))
        raise Broken(
            "silent_decision",
            f"{commit.author}, who decides nothing, wrote {name} over {who} of {world.label_of(commit.record)}, and it was accepted",
        )


@ending("registers")
def maxima(world: World, end: End) -> None:
    """Headquarters' registers have as heads exactly the causally maximal of the accepted writes."""
    for record, found in end.office.records.items():
        row = end.rows.get(record)
        if row is None:
            raise Broken(
                "registers", f"headquarters has accepted saves of {world.label_of(record)}, and no such record"
            )
        wanted = {name: {one.dot for one in heads} for name, heads in found.heads().items() if heads}
        names = differing(wanted, heads_of(row))
        if names:
            raise Broken(
                "registers", f"headquarters' {names} of {world.label_of(record)} are not the maxima of its saves"
            )
    extra = end.rows.keys() - end.office.records.keys()
    if extra - end.incomplete:
        raise Broken("registers", f"headquarters has {[world.label_of(one) for one in extra]} of which it has no save")


@ending("unseen")
def unseen_values(world: World, end: End) -> None:
    """Asked about a removal, people read the values that whoever removed the record had not seen, and no others."""
    hq = world.nodes["hq"]
    for record, row in end.rows.items():
        found = end.office.records.get(record)
        if "_deleted" not in row.conflicts or found is None or record in end.incomplete:
            continue
        standing = heads(found.written("_deleted"))
        if not all(isinstance(one.value, dict) and reopened(one) is None for one in standing):
            continue  # a decision, or one that was undone
        asked = queue.QueuedConflict(0, 0, record, "_deleted", found.type, None, "")
        detail = queue.conflict_detail(hq, asked)
        told = {(one.field, one.by, one.seq) for one in detail.meanwhile} if detail is not None else set()
        for (name, dot), must in unseen(found, end.knew).items():
            one = next(one for one in found.written(name) if one.dot == dot)
            shown = (name, one.author, one.seq) in told
            if name.startswith("_") or must.allows(shown) or end.repeated(found, name):
                continue
            raise Broken(
                "unseen",
                f"headquarters {'shows' if shown else 'does not show'} {one.author}'s {name} of {world.label_of(record)} as unseen by a removal",
            )


@ending("lost")
def nothing_lost(world: World, end: End) -> None:
    """What any node holds of what was saved is at headquarters: accepted, replaced by what had seen it, or kept aside with a reason."""
    there = {(one.identity, part) for one in end.accepted for part in written(one)}
    aside = {one.identity for one in end.logged if one.dot in end.refused and end.refused[one.dot] != "said_again"}
    shut = {name for name in world.laptops if world.locked(name)}
    for identity, held in world.ledger.living().items():
        if held <= shut or identity in aside:
            continue
        one = world.ledger.saved[identity]
        for part in written(one):
            if (identity, part) in there or _replaced(end, one, part):
                continue
            raise Broken(
                "lost",
                f"{one.author}'s {part} = {one.fields.get(part)!r} of {world.label_of(one.record)} is not at headquarters; held by {sorted(held)}",
            )


def _replaced(end: End, commit: Commit, part: str) -> bool:
    name = next(iter(end.present(commit._replace(fields={part: None})).fields))
    record = end.office.records.get(commit.record)
    return record is not None and any(one.covers(commit.dot) for one in record.written(name))

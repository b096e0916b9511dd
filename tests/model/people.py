"""People's operations on their laptops."""

import random
from typing import Any

from fieldsync.casework import referrals
from fieldsync.casework.referrals import ReferralRequest
from fieldsync.core.commit import group_contexts
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import register_of
from fieldsync.replica import changes, commit_writer, save, transfer
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.review import decisions, duplicate_pairs
from tests.model import cast
from tests.model.operations import Arguments, operation
from tests.model.oracle import fields
from tests.model.oracle.fields import REFERRAL, RESIDENT, SHELTER
from tests.model.world import World

MARK = "mark-"
TEXTS = ["جبلة", "جبلـة", "طرطوس", "school", "mosque", "12", "١٢"]
FREE = ("name", "place", "beds", "floor", "permit")
MEMBERS = ("food", "water", "blankets")


def value(field: str, chance: random.Random) -> Any:
    """Return some value of a field of a shelter."""
    match field:
        case "beds" | "floor":
            return chance.randrange(1, 6)
        case "state":
            return chance.choice(list(fields.STEPS))
    # a text of its own is looked for in all stores at the end
    return f"{MARK}{chance.randrange(10**9):09}" if chance.random() < 0.25 else chance.choice(TEXTS)


def somebody(world: World, chance: random.Random) -> str:
    """Return a laptop that is no partner's."""
    return chance.choice([name for name in world.laptops if name != "huda"])


def decider(world: World, chance: random.Random) -> str | None:
    """Return a supervisor's laptop, if there is one."""
    found = [name for name in world.laptops if world.nodes[name].role == "supervisor"]
    return chance.choice(found) if found else None


def of_somebody(world: World, chance: random.Random, type: str | None = None) -> Arguments | None:
    """Return a laptop and one of the records that it holds."""
    return record_of(world, chance, somebody(world, chance), type)


def record_of(world: World, chance: random.Random, who: str | None, type: str | None = None) -> Arguments | None:
    """Return somebody's laptop and one of the records that it holds, more often the one that this history is about."""
    if who is None or who not in world.nodes:
        return None
    held = world.held(who, type)
    if not held:
        return None
    often = world.focus in held and chance.random() < 0.6
    return {"who": who, "record": world.focus if often else chance.choice(held)}


def found(world: World, who: str, record: str) -> str:
    """Return a record's id as commands name it; one that the script has not made names nothing."""
    return world.records[record].hex() if record in world.records else "00" * 16


def _choose_shelter(world: World, chance: random.Random) -> Arguments | None:
    number = sum(type == SHELTER for type in world.types.values()) + 1
    if chance.random() < number / world.room:
        return None
    who = somebody(world, chance)
    units = [
        unit
        for unit in world.branches.values()
        if any(unit.startswith(grant.unit) for grant in world.nodes[who].grants)
    ]
    if not units:
        return None
    some = {field: value(field, chance) for field in FREE if chance.random() < 0.4}
    return {"who": who, "record": world.fresh("shelter"), "unit": chance.choice(units), "fields": {"name": "x", **some}}


@operation(4, "save", "{who} registers {record} in {unit}: {fields}", _choose_shelter)
def add(world: World, who: str, record: str, unit: str, fields: dict[str, Any]) -> None:
    """A shelter is registered."""
    id_ = world.record_id(record)
    with world.saving(who, "made") as node:
        save.add_records(node, [NewRecord(SHELTER, Changes(set=fields), id_)], unit=unit)
    world.records[record], world.types[record] = id_, SHELTER


def _choose_resident(world: World, chance: random.Random) -> Arguments | None:
    number = sum(type == RESIDENT for type in world.types.values()) + 1
    chosen = of_somebody(world, chance, SHELTER) if chance.random() > 1.6 * number / world.room else None
    return chosen and {"who": chosen["who"], "record": world.fresh("resident"), "shelter": chosen["record"]}


@operation(2, "save", "{who} registers {record} in {shelter}", _choose_resident)
def add_resident(world: World, who: str, record: str, shelter: str) -> None:
    """Somebody moves into a shelter, which a command finds only where the laptop holds it."""
    if shelter not in world.held(who, SHELTER):
        return
    id_ = world.record_id(record)
    owner = found(world, who, shelter)
    named = f"{owner[:8]}-{owner[8:12]}-{owner[12:16]}-{owner[16:20]}-{owner[20:]}"
    with world.saving(who, "made") as node:
        save.add_records(node, [NewRecord(RESIDENT, Changes(set={"shelter": named, "name": "x"}), id_)])
    world.records[record], world.types[record] = id_, RESIDENT


def _choose_edit(world: World, chance: random.Random) -> Arguments | None:
    chosen = _colleague(world, chance) if chance.random() < 0.4 else of_somebody(world, chance, SHELTER)
    if chosen is None:
        return None
    known = world.nodes[chosen["who"]].schema.type(SHELTER).fields
    extra = [name for name in known if name.startswith("extra")]
    names = {
        chance.choice(("name", "name", "name", "place", "place", *FREE, *extra))
        for _ in range(chance.choice((1, 1, 2)))
    }
    names = chosen.pop("fields", names)
    return {**chosen, "fields": {name: value(name, chance) for name in sorted(names)}}


def _colleague(world: World, chance: random.Random) -> Arguments | None:
    """Return another laptop with the record that was edited last, and these fields: so conflicts come about."""
    who, record, names = world.edited
    others = [name for name in world.laptops if name not in (who, "huda") and record in world.held(name, SHELTER)]
    if not others:
        return None
    other = chance.choice(others)
    names = names & world.nodes[other].schema.type(SHELTER).fields.keys()
    return {"who": other, "record": record, "fields": names} if names else None


@operation(12, "save", "{who} edits {record}: {fields}", _choose_edit)
def edit(world: World, who: str, record: str, fields: dict[str, Any]) -> None:
    """Some fields are changed."""
    world.edited = who, record, frozenset(fields)
    with world.saving(who, "edit", record) as node:
        save.edit_record(node, found(world, who, record), Changes(set=fields))


def _choose_step(world: World, chance: random.Random) -> Arguments | None:
    chosen = of_somebody(world, chance, SHELTER)
    row = world.row(chosen["who"], chosen["record"]) if chosen else None
    after = fields.STEPS.get(str(row.doc.get("state"))) if row else None
    return {**chosen, "state": chance.choice(after)} if chosen and after else None


@operation(3, "save", "{who} has {record} go on to {state}", _choose_step)
def proceed(world: World, who: str, record: str, state: str) -> None:
    """A step of the lifecycle."""
    with world.saving(who, "edit", record) as node:
        save.edit_record(node, found(world, who, record), Changes(set={"state": state}))


def _choose_needs(world: World, chance: random.Random) -> Arguments | None:
    chosen = of_somebody(world, chance, SHELTER)
    return chosen and {**chosen, "what": chance.choice(("put", "drop")), "member": chance.choice(MEMBERS)}


@operation(3, "save", "{who} {what}s {member} among the needs of {record}", _choose_needs)
def need(world: World, who: str, record: str, what: str, member: str) -> None:
    """A member of a set comes or goes."""
    with world.saving(who, "edit", record) as node:
        save.edit_record(node, found(world, who, record), Changes(**{what: {"needs": [member]}}))


def _choose_visit(world: World, chance: random.Random) -> Arguments | None:
    chosen = of_somebody(world, chance, SHELTER)
    return chosen and {**chosen, "count": chance.randrange(0, 3), "text": chance.choice(("", *TEXTS))}


@operation(3, "save", "{who} visits {record}: {count} more, notes {text}", _choose_visit)
def visit(world: World, who: str, record: str, count: int, text: str) -> None:
    """A tally and a log grow."""
    with world.saving(who, "edit", record) as node:
        save.edit_record(
            node, found(world, who, record), Changes(count={"visits": count}, say={"notes": text} if text else {})
        )


@operation(1.5, "save", "{who} removes {record}", of_somebody)
def remove(world: World, who: str, record: str) -> None:
    """A record is deleted."""
    merged = [one for one in world.held(who, SHELTER) if world.ledger.was_merged(world.records[one])]
    with world.saving(who, "removal", record, *merged) as node:
        save.remove_record(node, found(world, who, record), "twice")


def _choose_move(world: World, chance: random.Random) -> Arguments | None:
    chosen = of_somebody(world, chance, SHELTER)
    return chosen and {**chosen, "unit": chance.choice(list(world.branches.values()))}


@operation(2.5, "save", "{who} moves {record} to {unit}", _choose_move)
def move(world: World, who: str, record: str, unit: str) -> None:
    """A shelter changes its unit."""
    with world.saving(who, "edit", record) as node:
        transfer.transfer_record(node, found(world, who, record), unit)


# --- supervisors ------------------------------------------------------------------------------------------------------


def _choose_decision(world: World, chance: random.Random) -> Arguments | None:
    who = decider(world, chance)
    if who is None:
        return None
    rows = world.rows(who)
    open_ = [(label, field) for label in sorted(rows) for field in sorted(rows[label].conflicts)]
    if not open_:
        return None
    record, field = chance.choice(open_)
    return {"who": who, "record": record, "field": field, "head": chance.randrange(3)}


@operation(6, "save", "{who} decides {field} of {record} in review, for head {head}", _choose_decision)
def decide(world: World, who: str, record: str, field: str, head: int) -> None:
    """A conflict is decided for one of its heads."""
    ref = found(world, who, record)
    with world.saving(who, "decision", record) as node:
        items = [item for item in decisions.conflicts_of(node, ref) if item.field == field]
        if items:
            heads = sorted(items[0].heads, key=lambda one: (one.at, str(one.value), one.seq))
            chosen = heads[head % len(heads)]
            decisions.decide_conflict(node, ref, field, head=chosen.name)


def _choose_undo(world: World, chance: random.Random) -> Arguments | None:
    who = decider(world, chance)
    if who is None:
        return None
    decided = [
        (label, name.partition("/")[2])
        for label, row in world.rows(who).items()
        for name in row.state.fields
        if name.startswith(DECIDED + "/")
    ]
    if not decided:
        return None
    record, field = chance.choice(sorted(decided))
    return {"who": who, "record": record, "field": field}


@operation(2, "save", "{who} takes back what was decided of {field} of {record}", _choose_undo)
def undo(world: World, who: str, record: str, field: str) -> None:
    """A decision is undone."""
    with world.saving(who, "decision", record) as node:
        decisions.undo_decision(node, found(world, who, record), field)


def _choose_pair(world: World, chance: random.Random) -> Arguments | None:
    who = decider(world, chance)
    held = world.held(who, SHELTER) if who else []
    if len(held) < 2:
        return None
    stays, gives = chance.sample(held, 2)
    return {"who": who, "stays": stays, "gives": gives}


@operation(1.5, "save", "{who} says that {gives} is the same as {stays}, which stays", _choose_pair)
def merge(world: World, who: str, stays: str, gives: str) -> None:
    """Two shelters are one."""
    with world.saving(who, "decision", stays, gives) as node:
        duplicate_pairs.merge_records(node, found(world, who, stays), found(world, who, gives))


@operation(0.7, "save", "{who} says that {gives} and {stays} are two after all", _choose_pair)
def split(world: World, who: str, stays: str, gives: str) -> None:
    """A merge is undone."""
    with world.saving(who, "decision", stays, gives) as node:
        duplicate_pairs.split_records(node, found(world, who, stays), found(world, who, gives))


# --- partners ---------------------------------------------------------------------------------------------------------


def _choose_referral(world: World, chance: random.Random) -> Arguments | None:
    number = sum(type == REFERRAL for type in world.types.values()) + 1
    chosen = record_of(world, chance, decider(world, chance), SHELTER) if 2 * number < world.room else None
    return chosen and {"who": chosen["who"], "record": world.fresh("referral"), "shelter": chosen["record"]}


@operation(1.5, "save", "{who} refers {shelter} to the charity as {record}", _choose_referral)
def refer(world: World, who: str, record: str, shelter: str) -> None:
    """A shelter is referred to a partner."""
    with world.saving(who, "made") as node:
        made = referrals.refer_record(
            node,
            found(world, who, shelter),
            ReferralRequest(cast.PARTNER_UNIT, "needs stoves", services=["other"], share=("name",), override="urgent"),
        )
    world.records[record], world.types[record] = made, REFERRAL


def _choose_withdrawal(world: World, chance: random.Random) -> Arguments | None:
    return record_of(world, chance, decider(world, chance), REFERRAL)


@operation(0.7, "save", "{who} withdraws {record}", _choose_withdrawal)
def withdraw(world: World, who: str, record: str) -> None:
    """A referral is taken back."""
    with world.saving(who, "edit", record) as node:
        referrals.withdraw_referral(node, found(world, who, record))


def _choose_answer(world: World, chance: random.Random) -> Arguments | None:
    chosen = record_of(world, chance, "huda", REFERRAL)
    return chosen and {**chosen, "state": chance.choice(("accepted", "rejected", "done"))}


@operation(1, "save", "{who} answers {record}: {state}", _choose_answer)
def answer(world: World, who: str, record: str, state: str) -> None:
    """A partner answers."""
    with world.saving(who, "edit", record) as node:
        referrals.answer_referral(node, found(world, who, record), state)


# --- somebody whose program is not ours -------------------------------------------------------------------------------


def _choose_tampering(world: World, chance: random.Random) -> Arguments | None:
    chosen = of_somebody(world, chance, SHELTER)
    if chosen is None or world.nodes[chosen["who"]].role != "caseworker":
        return None
    row = world.row(chosen["who"], chosen["record"])
    assert row is not None
    field = chance.choice(("name", "name", "permit", "place", "state"))
    heads = register_of(row.state, field).heads
    if len(heads) < 2 and chance.random() < 0.8:
        return None
    own = [one for one in heads if one.value is not None]
    said = chance.choice(own).value if own and chance.random() < 0.5 else value(field, chance)
    return {**chosen, "field": field, "value": said, "over": chance.choice((0, 1, 2, 3))}


@operation(
    2,
    "save",
    "{who}, with a program of another's making, writes {field} of {record}: {value}, over heads {over}",
    _choose_tampering,
)
def tamper(world: World, who: str, record: str, field: str, value: Any, over: int) -> None:
    """A commit that our program would not make: it covers the heads that its author likes (`over`: one bit for each)."""
    row = world.row(who, record)
    if row is None:
        return
    register = register_of(row.state, field)
    chosen = [head for i, head in enumerate(register.heads) if over == 0 or over >> i & 1]
    seen: dict[bytes, int] = {}
    for head in chosen:
        for commit in world.ledger.by_dot.get(head.dot, ()):
            for device, seq in {**commit.seen.get(field, {}), head.device: head.seq}.items():
                seen[device] = max(seq, seen.get(device, 0))
    with world.saving(who, "tampered", record) as node, node.store.write() as tx:
        draft = changes.Draft(
            row.state.record, SHELTER, node.schema.type(SHELTER).version, {field: value}, {field: seen}
        )
        assert group_contexts(draft.seen) is not None
        commit_writer.commit_drafts(node, tx, [draft])

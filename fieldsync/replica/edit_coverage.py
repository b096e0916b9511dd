"""The coverage of a save, field by field, from this node's data: the persons behind devices and this device's earlier writes."""

from collections.abc import Mapping
from functools import cache

from msgspec import Struct, structs

from fieldsync import errors
from fieldsync.core.edit_context import Editor, covered_heads, edit_context, is_open
from fieldsync.core.register import Context, Dot, Head, Register
from fieldsync.core.settle import Person, Policy
from fieldsync.core.state import State, field_of, register_of
from fieldsync.replica.merge_rules import TypeRules
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx

WAITS_FOR_OTHERS = frozenset(
    kind.code for kind in (errors.Gap, errors.NoRecord, errors.UnknownType, errors.UnknownField, errors.UnknownForm)
)
"""Verdicts of a server that end when others' commits or forms have come to it."""
_MAY_CHANGE = WAITS_FOR_OTHERS | {errors.Undecided.code}


class RegisterEdit(Struct, frozen=True):
    """A register that is written over, as it was shown, and how it settles; `fresh`: nothing has come since it was shown."""

    register: Register
    policy: Policy
    base: Dot | None
    decides: bool = False
    fresh: bool = True


def edit_of_register(
    type_rules: TypeRules, state: State, name: str, *, decides: bool = False, fresh: bool = True
) -> RegisterEdit:
    """Return the coverage of a write to a register."""
    policy = type_rules.field_rule(field_of(name), member="/" in name).policy
    base = None if state.base is None else state.base.dot
    return RegisterEdit(register_of(state, name), policy, base, decides, fresh)


class Coverage(Struct, frozen=True):
    """The heads that a write replaces, its context, and whether it replaces all heads."""

    heads: tuple[Head, ...]
    context: Context
    everything: bool


class EditContexts:
    """Works out the contexts of this node's own writes."""

    def __init__(self, node: Node, tx: ReadTx) -> None:
        self._node = node
        self._tx = tx
        self._person = person_of(tx)
        self._quarantined = {seq: code for seq, code, _ in tx.refusals(node.device)}

    def coverage_of(self, record: bytes, type: str, name: str, over: RegisterEdit) -> Coverage:
        """Return the coverage of a write to one of a record's registers."""
        register, device = over.register, self._node.device
        if over.decides:
            return Coverage(register.heads, register.seen, True)
        writer = Editor(device, self._person, over.base)
        undecided = is_open(register, over.policy, self._person)
        if undecided or self._quarantined or not over.fresh:
            writer = structs.replace(writer, last=self._last_context(record, type, name))
        heads = covered_heads(register, over.policy, writer) if undecided else register.heads
        return Coverage(heads, edit_context(register, heads, writer), heads == register.heads)

    def _last_context(self, record: bytes, type: str, name: str) -> Context:
        """Return the context of this device's last commit to a register, as servers hold or will hold it."""
        last: tuple[int, Mapping[bytes, int]] = 0, {}
        for logged in self._tx.commits_of(record):
            refused = self._quarantined.get(logged.seq, "")
            if logged.device != self._node.device or (refused and refused not in _MAY_CHANGE):
                continue
            said = logged.commit()
            if said is None:
                continue
            commit = self._node.rules.type_rules(type).with_present_names(said)
            if name in commit.fields and logged.seq > last[0]:
                last = logged.seq, next((dict(pairs) for names, pairs in commit.context if name in names), {})
        return {device: seq for device, seq in last[1].items() if device != self._node.device}


def person_of(tx: ReadTx) -> Person:
    """Return a function from a device to its person; an unknown device is its own person."""

    @cache
    def person(device: bytes) -> object:
        known = tx.device(device)
        return device if known is None or not known.person else known.person

    return person

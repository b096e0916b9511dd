"""Contexts of heads stored by 0.1, which kept none: rebuilt from the commits, where this node has them."""

from collections.abc import Iterable, Mapping

from fieldsync.core.commit import Commit
from fieldsync.core.register import EMPTY, Context, Dot, Register, build_register, contexts_of
from fieldsync.core.state import State
from fieldsync.replica.merge_rules import TypeRules
from fieldsync.store import ReadTx


def fill_contexts(tx: ReadTx, type_rules: TypeRules, state: State, names: Iterable[str] | None = None) -> State:
    """Return a state whose heads (of these registers) have their contexts, as far as their commits are in the log."""
    lacking = {}
    fields = state.fields
    for name in fields if names is None else names:
        heads, _, contexts = fields.get(name, EMPTY)
        if (contexts or len(heads) > 1) and None in contexts_of(fields[name]):  # of few
            lacking[name] = fields[name]
    if not lacking:
        return state
    known = {
        (one.device, one.seq): type_rules.with_present_names(said)
        for one in tx.commits_of(state.record)
        if (said := one.commit()) is not None
    }
    return state._replace(
        fields=state.fields | {n: _fill_register(n, register, known) for n, register in lacking.items()}
    )


def _fill_register(name: str, register: Register, known: Mapping[Dot, Commit]) -> Register:
    writes = zip(register.heads, contexts_of(register), strict=True)
    return build_register(
        [
            (head, _context_of_commit(name, known.get(head.dot)) if context is None else context)
            for head, context in writes
        ],
        register.seen,
    )


def _context_of_commit(name: str, commit: Commit | None) -> Context | None:
    if commit is None:
        return None
    pairs = next((pairs for names, pairs in commit.context if name in names), ())
    return {device: seq for device, seq in pairs if device != commit.device}

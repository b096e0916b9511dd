"""New forms on a node: adopted in one transaction, which renames stored fields accordingly.

docs/decisions/0013-field-names-never-reused.md explains why all nodes get the same registers, in whatever order forms arrive.
"""

import sys
from collections.abc import Iterable

from fieldsync.authority import quarantine
from fieldsync.core.settle import Policy
from fieldsync.core.state import State
from fieldsync.replica import merge_arrivals
from fieldsync.replica.apply import DeviceFacts, device_facts, settle_row
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.merge_rules import FieldRule, Rules, TypeRules
from fieldsync.replica.node import Node
from fieldsync.replica.node_setup import write_schema
from fieldsync.replica.schema_history import FormVersion
from fieldsync.schema.model import Type
from fieldsync.store import Tx
from fieldsync.store.contract import Row, form_key

_PART = 2_000


def put_in_force(node: Node, tx: Tx, texts: dict[str, str]) -> list[str]:
    """Put forms in force; return the types that changed. SchemaFaults if they are not good, or newer than this program."""
    old = node.schema
    new = write_schema(tx, texts)
    rules = Rules(new)
    ahead = tx.settings.newer_values  # newer forms' values are here already, kept as they came
    changed = [name for name, kind in new.types.items() if not equal_types(old.types.get(name), kind)]
    for name in changed:
        kind, before = rules.type_rules(name), TypeRules(name, old.types.get(name))
        if ahead or (before.type is not None and _settles_otherwise(before, kind)):
            _rewrite_registers(tx, rules, name)
        if node.is_laptop and tuple(map(kind.present_name, before.search)) != kind.search:
            tx.invalidate_search_of_type(name)
    node.restore_forms_on_rollback(tx)
    node.load_current_forms(tx)
    tx.settings.newer_values = False
    if not node.is_laptop:
        for projection in registered_extensions().projections:
            projection.rebuild_projection(tx, rules)
        tx.wake_waiting(map(form_key, changed))
        quarantine.judge_due(node, tx, sys.maxsize)
    return changed


def equal_types(one: Type | None, other: Type) -> bool:
    """Return whether two types are the same, words and all."""
    from fieldsync.schema import model

    return one is not None and model.make_schema({"": one}).version == model.make_schema({"": other}).version


def _settles_otherwise(before: TypeRules, now: TypeRules) -> bool:
    if before.renamed != now.renamed:
        return True
    return any(_settling_rule(now.field_rule(field)) != _settling_rule(rule) for field, rule in before.fields.items())


def _settling_rule(rule: FieldRule) -> FieldRule:
    """Return what settles a field: its choices only where their order counts, or a new one would concern every record."""
    ordered = rule.policy.merge in ("greatest", "least", "furthest")
    return rule if ordered else FieldRule(rule.kind, Policy(rule.policy.merge))


def _rewrite_registers(tx: Tx, rules: Rules, type: str) -> None:
    """Rename a type's registers to present names, and settle them by the present form."""
    records, facts = tx.ids_of_type(type), device_facts(tx)
    for i in range(0, len(records), _PART):
        rows = tx.rows(records[i : i + _PART])
        settled = {
            record: _settle_row(rules.type_rules(type), rules.upgrade_state(row.state), row, facts)
            for record, row in rows.items()
        }
        merge_arrivals.reopen_settled(tx, settled)
        tx.rewrite_rows(settled.values())


def _settle_row(type_rules: TypeRules, state: State, row: Row, facts: DeviceFacts) -> Row:
    arrivals: dict[str, int] = {}
    for name, arrival in row.arrivals.items():
        present = type_rules.present_name(name)
        arrivals[present] = max(arrival, arrivals.get(present, 0))
    origins = {type_rules.present_name(name): value for name, value in row.conflicts.items()}
    row.state, row.arrivals = state, {n: a for n, a in arrivals.items() if not n or n in state.fields}
    settle_row(row, type_rules, None, facts)
    row.conflicts = {name: origins.get(name) for name in row.conflicts}
    return row


def type_labels(node: Node, types: Iterable[str]) -> list[FormVersion]:
    """Return these types' forms as they are now, for people."""
    known = node.schema.types
    return [FormVersion(name, known[name].label, known[name].version) for name in types if name in known]

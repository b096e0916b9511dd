"""Converts states and registers written under an older form to present field names.

Names are never reused for another field (schema/compatibility.py), so an old name identifies its present one: no form
version is needed for the conversion, and converting twice equals converting once.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from fieldsync.core.register import Register, join
from fieldsync.core.settle import DECIDED
from fieldsync.core.state import State, registers, state_from_registers
from fieldsync.schema.lint import final_name
from fieldsync.schema.model import Type

V = TypeVar("V")


def present_name(renamed: Mapping[str, str], register: str) -> str:
    """The name that a register, `field`, `field/member` or `_decided/field`, has now."""
    name, slash, member = register.partition("/")
    if name == DECIDED:
        return f"{name}{slash}{final_name(renamed, member)}"
    return f"{final_name(renamed, name)}{slash}{member}"


def rename_fields(kind: Type, fields: Mapping[str, V]) -> dict[str, V]:
    """The same registers, `field` or `field/member`, each under its field's present name.

    Where both names are there, each stays as it is: nothing that was written is dropped.
    """
    if not kind.renamed:
        return dict(fields)
    upgraded: dict[str, V] = {}
    for register, value in fields.items():
        name = present_name(kind.renamed, register)
        upgraded[register if name in fields else name] = value
    return upgraded


def rename_registers(renamed: Mapping[str, str], state: State) -> State:
    """Return the state with present register names; registers under both names are joined."""
    if not any(old in renamed for old in _fields_in(state)):
        return state
    found: dict[str, Register] = {}
    for old, register in sorted(registers(state).items()):
        name = present_name(renamed, old)
        found[name] = join(found[name], register) if name in found else register
    origins = {present_name(renamed, name): value for name, value in state.origins.items()}
    return state_from_registers(state.record, state.type, state.base, found.items())._replace(origins=origins)


def _fields_in(state: State) -> Iterator[str]:
    """Yield the fields that a state speaks of."""
    yield from state.values
    for register in state.fields:
        name, _, member = register.partition("/")
        yield member if name == DECIDED else name

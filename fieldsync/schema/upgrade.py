"""Fields of an older form under the names they have now."""

from collections.abc import Mapping
from typing import TypeVar

from fieldsync.schema.model import Type
from fieldsync.schema.rules import final_name

V = TypeVar("V")


def upgrade(kind: Type, fields: Mapping[str, V]) -> dict[str, V]:
    """The same registers, `field` or `field/member`, each under its field's present name.

    Where both names are there, each stays as it is: nothing that was written is dropped.
    """
    if not kind.renamed:
        return dict(fields)
    upgraded: dict[str, V] = {}
    for register, value in fields.items():
        name, slash, member = register.partition("/")
        present = f"{final_name(kind.renamed, name)}{slash}{member}"
        upgraded[register if present in fields else present] = value
    return upgraded

"""Checks of every save before it is a commit: legal values, and the user's permission to write them."""

from collections.abc import Container, Iterable, Mapping

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.register import Value
from fieldsync.replica.composite_fields import NO_PARTS, ExpandedFields
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.node import Node
from fieldsync.schema import validate, write_roles
from fieldsync.schema.expressions import stored_expressions
from fieldsync.schema.expressions.functions import NOW
from fieldsync.schema.model import Field, Type
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx

_REMEMBERED = 10_000


class SaveChecks:
    """Judges the saves of one transaction."""

    def __init__(self, node: Node, tx: ReadTx) -> None:
        self.references = ReferenceChecks(tx)
        self._schema, self._today, self._moment = node.schema, node.today(), node.date_and_time()

    def check_values(
        self,
        kind: Type,
        changed: Mapping[str, object],
        doc: Mapping[str, object],
        parts: ExpandedFields = NO_PARTS,
        *,
        unseen: Container[str] = (),
    ) -> None:
        """Check values against the record's document ({} for a new one). IllegalValue, IllegalStep, Incomplete."""
        known = {**doc, **parts.said, **parts.sets, NOW: self._moment}
        validate.check_stored(kind, changed, known, self._today, sets=parts.sets, unseen=unseen)
        self.references.check_references(kind, {**parts.sets, **changed}, doc)
        stored_expressions.check_expressions(self._schema, kind, changed)


def check_authority(
    kind: Type, fields: Mapping[str, Value], doc: Mapping[str, object], role: str, *, new: bool = False
) -> None:
    """Check the role's permission to replace the shown values. RoleRefused, IllegalValue."""
    write_roles.check_roles(kind, fields, doc, role)
    registered_extensions().check_write(role, kind.name, fields, new=new)


class ReferenceChecks:
    """Judges references within one transaction; a file names few records many times."""

    def __init__(self, tx: ReadTx) -> None:
        self._tx = tx
        self._met: dict[str, tuple[str, str | None] | None] = {}

    def check_references(
        self, kind: Type, values: Mapping[str, object], before: Mapping[str, object] | None = None
    ) -> None:
        """Check references to removed records or other types; references present `before` stay. IllegalValue."""
        for name, value in values.items():
            spec = kind.fields.get(name)
            if spec is None or not spec.to or not value:
                continue
            known = _ids_in((before or {}).get(name))
            for one in _ids_in(value):
                if one not in known:
                    self._check_reference(kind, spec, one)

    def note_new(self, record: bytes, type: str) -> None:
        """Know a record that is saved in this transaction, too."""
        self._note(record_ids.id_text(record), (type, None))

    def _check_reference(self, kind: Type, spec: Field, record: str) -> None:
        found = self._find_target(record)
        if found is None:
            return  # on another laptop, or not yet here
        type_, removed = found
        if type_ not in spec.to:
            raise errors.IllegalValue(type=kind.name, field=spec.name, reason="wrong_type", to=list(spec.to))
        if removed is not None:
            raise errors.IllegalValue(type=kind.name, field=spec.name, reason="was_removed", record=removed)

    def _find_target(self, record: str) -> tuple[str, str | None] | None:
        """Return a record's type, and its code if it was removed."""
        if record not in self._met:
            id_ = record_ids.from_text(self._tx.held_merge_targets.get(record, record))
            row = self._tx.row(id_)
            gone = row is not None and "_deleted" in row.doc and "_deleted" not in row.conflicts
            self._note(record, None if row is None else (row.state.type, (row.code or record[:8]) if gone else None))
        return self._met[record]

    def _note(self, record: str, found: tuple[str, str | None] | None) -> None:
        if len(self._met) >= _REMEMBERED:
            self._met.clear()
        self._met[record] = found


def _ids_in(value: object) -> set[str]:
    held: Iterable[object] = value if isinstance(value, list | tuple | set) else (value,)
    return {one for one in held if isinstance(one, str) and is_id(one)}

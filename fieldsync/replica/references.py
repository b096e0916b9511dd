"""What a record may name in its references: records of the right type that were not removed."""

import uuid
from collections.abc import Iterable, Mapping

from fieldsync import errors
from fieldsync.schema.model import Field, Type
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx

_REMEMBERED = 10_000


class References:
    """Judges references within one transaction; a file names few records many times."""

    def __init__(self, tx: ReadTx) -> None:
        self._tx = tx
        self._met: dict[str, tuple[str, str | None] | None] = {}

    def check(self, kind: Type, values: Mapping[str, object], before: Mapping[str, object] | None = None) -> None:
        """Refuse what names a record of another type, or one that was removed; what was named `before` stays. IllegalValue."""
        for name, value in values.items():
            spec = kind.fields.get(name)
            if spec is None or not spec.to or not value:
                continue
            known = _ids((before or {}).get(name))
            for one in _ids(value):
                if one not in known:
                    self._check(kind, spec, one)

    def _check(self, kind: Type, spec: Field, record: str) -> None:
        found = self._found(record)
        if found is None:
            return  # on another laptop, or not yet here
        type_, removed = found
        if type_ not in spec.to:
            raise errors.IllegalValue(type=kind.name, field=spec.name, reason="wrong_type", to=list(spec.to))
        if removed is not None:
            raise errors.IllegalValue(type=kind.name, field=spec.name, reason="was_removed", record=removed)

    def _found(self, record: str) -> tuple[str, str | None] | None:
        """A record's type, and by what it is known where it was removed."""
        if record not in self._met:
            if len(self._met) >= _REMEMBERED:
                self._met.clear()
            id_ = uuid.UUID(self._tx.stands.get(record, record)).bytes
            row = self._tx.row(id_)
            gone = row is not None and "_deleted" in row.doc and "_deleted" not in row.conflicts
            self._met[record] = None if row is None else (row.state.type, (row.code or record[:8]) if gone else None)
        return self._met[record]


def _ids(value: object) -> set[str]:
    held: Iterable[object] = value if isinstance(value, list | tuple | set) else (value,)
    return {one for one in held if isinstance(one, str) and is_id(one)}

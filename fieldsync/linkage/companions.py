"""The related record compared along with one: a person's household, the head of a household."""

from collections.abc import Mapping
from typing import Any

from fieldsync.core import record_ids


def companion_id(type: str, doc: Mapping[str, Any], owner: bytes | None) -> bytes | None:
    """Return the id of the record compared along with one of this type, document and owner, or None."""
    if type == "person":
        return owner
    return record_ids.parse_id(doc.get("head"))

"""The related record compared along with one: a person's household, the head of a household."""

from collections.abc import Mapping
from typing import Any

from fieldsync.core import record_ids


def companion_id(type: str, doc: Mapping[str, Any], owner: bytes | None) -> bytes | None:
    """Return the id of the record that is compared beside one of this type, document and owner; None where there is none."""
    if type == "person":
        return owner
    return record_ids.parse_id(doc.get("head"))

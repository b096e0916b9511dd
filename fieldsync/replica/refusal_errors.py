"""Another node's refusal reasons, converted back to errors."""

from collections.abc import Iterator

import msgspec

from fieldsync import errors


def refusal_error(code: str, facts: str) -> errors.FieldsyncError:
    """Return the error for a server's refusal."""
    kind = next((k for k in _error_classes(errors.FieldsyncError) if k.code == code), errors.Refused)
    try:
        return kind(**msgspec.json.decode(facts, type=dict[str, object]))
    except (
        msgspec.MsgspecError,
        UnicodeError,
        RecursionError,
        TypeError,
    ):  # TypeError: a fact that is called `self`, say
        return kind()


def _error_classes(kind: type[errors.FieldsyncError]) -> Iterator[type[errors.FieldsyncError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _error_classes(below)


def facts_of(text: str) -> dict[str, object]:
    """Return the facts of another node's reason; empty if malformed."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}

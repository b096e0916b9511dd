"""Changes of a record, parsed from command-line arguments or a JSON object."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.commands.support import text_files
from fieldsync.replica.change_builder import ChangeBuilder
from fieldsync.replica.changes import Changes

_LARGEST = 4 * 1024 * 1024


def pairs(words: Iterable[str]) -> dict[str, list[str]]:
    """Return {field: values} of words FIELD=VALUE; Usage where one has no `=`."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise errors.Usage(reason="pair")
        found.setdefault(name.strip(), []).append(value)
    return found


def columns(words: Iterable[str]) -> dict[str, str]:
    """Return {column: field} of words COLUMN=FIELD; a column's name may have a `=` itself. Usage where one has none."""
    found: dict[str, str] = {}
    for word in words:
        column, equals, field = word.rpartition("=")
        if not equals or not column.strip():
            raise errors.Usage(reason="column")
        found[column.strip()] = field.strip()
    return found


def require_values(changes: Changes, *, asked: bool = False) -> Changes:
    """Return a new record's values; Usage if there are none. `asked`: they are a form's answers, not options."""
    if changes.is_empty:
        raise errors.Usage(reason="empty_form" if asked else "empty_record")
    return changes


def read_object(name: str) -> dict[str, Any]:
    """Return the JSON object of a file, or of standard input for `-`; BadFile."""
    shown = "-" if name == "-" else Path(name).name
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if name == "-" else Path(name).read_bytes()
    except OSError as fault:
        raise errors.BadFile(file=shown, reason="unreadable") from fault
    if len(data) > _LARGEST:
        raise errors.TooLarge(what="file", limit=_LARGEST)
    try:
        return msgspec.json.decode(text_files.decoded(data), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as fault:
        raise errors.BadFile(file=shown, reason="json_object") from fault


def add_options(
    builder: ChangeBuilder,
    *,
    unset: Iterable[str] = (),
    put: Iterable[str] = (),
    drop: Iterable[str] = (),
    count: Iterable[str] = (),
    say: Iterable[str] = (),
) -> None:
    """Add the options of `edit`; Usage."""
    for name in unset:
        builder.clear_value(name)
    for name, members in pairs(put).items():
        builder.add_members(name, members)
    for name, members in pairs(drop).items():
        builder.drop_members(name, members)
    for name, steps in pairs(count).items():
        for step in steps:
            builder.add_count(name, step)
    for name, texts in pairs(say).items():
        for text in texts:
            builder.add_log_entry(name, text)

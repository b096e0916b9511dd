"""Unsupported parts of an XLSForm, each listed with its question instead of being lost silently."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Table = Mapping[str, Any]
_BIND = {"jr:noAppErrorString": "noAppErrorString"}
_NO = ("", "no", "false", "false()")
_SETTINGS = ("submission_url", "auto_send", "auto_delete")
_ENTITY = ("create_if", "update_if", "entity_id")
_MEDIA = ("image", "big-image", "audio", "video")


def is_read_only(child: Table) -> bool:
    """Return whether a question cannot be answered; one that depends on other answers does not count."""
    bind = child["bind"] if isinstance(child.get("bind"), Mapping) else {}
    return str(bind.get("readonly") or "").strip().casefold() in ("yes", "true", "true()")


def unsupported_of_question(child: Table) -> Iterator[str]:
    """Name the columns of a question that are not carried."""
    bind = child["bind"] if isinstance(child.get("bind"), Mapping) else {}
    for key, column in _BIND.items():
        if str(bind.get(key) or "").strip().casefold() not in _NO:
            yield column
    for key in ("media", "guidance_hint", "trigger"):
        if child.get(key):
            yield key


def unsupported_of_note(child: Table) -> Iterator[str]:
    """Return the unsupported columns of a note, without those about answers."""
    for key in ("media", "guidance_hint"):
        if child.get(key):
            yield key


def unsupported_of_choice(choice: Table) -> Iterator[str]:
    """Name the columns of a choice that are not carried."""
    if choice.get("media") or any(choice.get(key) for key in _MEDIA):
        yield "media"


def unsupported_of_form(settings: Sequence[Table], entities: Sequence[Table]) -> Iterator[tuple[str, int, str]]:
    """Name the settings that are not carried: sheet, row, column."""
    for sheet, columns, rows in (("settings", _SETTINGS, settings), ("entities", _ENTITY, entities)):
        for number, row in enumerate(rows, 2):
            for column in columns:
                if row.get(column):
                    yield sheet, number, column

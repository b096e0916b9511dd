"""Record types as TOML in the style of a person: short tables on one line, longer ones spread, a blank line between."""

import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}

Table = Mapping[str, Any]


def type_file(comment: str, table: Table) -> str:
    """Return the text of a record type's file; `fields`, `sections` and `notes` are tables, each note at its field."""
    lines = [f"# {_escape_invisible(comment)}", ""]
    lines += [_key_value(key, value) for key, value in table.items() if key not in ("sections", "fields", "notes")]
    if table.get("sections"):
        lines += ["", "[sections]", *(_key_value(name, words) for name, words in table["sections"].items())]
    for name, field in [*table["fields"].items(), ("", None)]:
        for note, words in table.get("notes", {}).items():
            if words.get("before", "") == name:
                lines += ["", f"[notes.{_toml_key(note)}]", *(_key_value(key, value) for key, value in words.items())]
        if field is None:
            break
        lines += [
            "",
            f"[fields.{_toml_key(name)}]",
            *(_key_value(key, value) for key, value in field.items() if key != "choices"),
        ]
        choices = field.get("choices")
        if isinstance(choices, str):
            lines.append(_key_value("choices", choices))
        elif choices:
            lines += [
                "",
                f"[fields.{_toml_key(name)}.choices]",
                *(_key_value(code, words) for code, words in choices.items()),
            ]
    return "\n".join(lines) + "\n"


def choices_file(comment: str, found: Table) -> str:
    """Return the text of choices.toml."""
    lines = [f"# {_escape_invisible(comment)}"]
    for name, choices in found.items():
        lines += ["", f"[{_toml_key(name)}]", *(_key_value(code, words) for code, words in choices.items())]
    return "\n".join(lines) + "\n"


def _key_value(key: str, value: object) -> str:
    return f"{_toml_key(key)} = {_toml_value(value)}"


def _toml_key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _toml_text(key)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_key_value(key, one) for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return _toml_text(str(value))


def _toml_text(text: str) -> str:
    if ("\\" in text or '"' in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return (
        '"'
        + "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else f"\\U{ord(sign):08x}") for sign in text)
        + '"'
    )


def _escape_invisible(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)

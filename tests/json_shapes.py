"""What a command printed with --json, compared with the type of its document: no key too many, none missing, each of its kind."""

import json
from typing import Any

import msgspec

from fieldsync.cli import COMMANDS
from fieldsync.commands.support.lazy_tree import GroupSpec
from fieldsync.json_documents import DOCUMENTS, Failed


def command_of(words: tuple[str, ...]) -> str:
    """Return which command the words of a command line call, without what it is given."""
    at, path = COMMANDS, []
    for word in words:
        if not isinstance(at, GroupSpec) or word not in at.commands:
            break
        at = at.commands[word]
        path.append(word)
    return " ".join(path)


def check(words: tuple[str, ...], text: str) -> None:
    """Fail where a document is not of its command's type."""
    document, command = json.loads(text), command_of(words)
    if isinstance(document, dict) and set(document) == {"error"}:
        faults = _faults(Failed, document)
        assert not faults, f"{words}: {faults}"
        return
    said = [fault for one in DOCUMENTS[command] if (fault := _faults(one.type, document))]
    assert len(said) < len(DOCUMENTS[command]), f"{' '.join(words)}: {'; '.join(said)}"


def _faults(type: Any, document: Any) -> str:
    """Say why a document is not of a type; nothing if it is."""
    try:
        read = msgspec.convert(document, type)
    except msgspec.ValidationError as fault:
        return str(fault)
    again = msgspec.json.encode(read)
    return "" if again == msgspec.json.encode(document) else f"keys that {type} has not, or in another order"

"""Every command's JSON document has a type; the page and the schema made from these keep what scripts were promised."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs import generate, json_page
from fieldsync.cli import COMMANDS
from fieldsync.commands.support.lazy_tree import GroupSpec
from fieldsync.json_documents import DOCUMENTS, WITHOUT
from tests import json_shapes

# what scripts were promised: never a key less, never another kind
PROMISED = """\
show        {"id","code","type","unit","fields":{},"conflicts":[field…],"deleted":bool,"unsent":bool,"created":{"by","at"},"updated":{"by","at"}}
add         {"id","code","type","unit","fields":{},"conflicts":[field…],"deleted":bool,"unsent":bool,"created":{"by","at"},"updated":{"by","at"}}
edit        {"id","code","type","unit","fields":{},"conflicts":[field…],"deleted":bool,"unsent":bool,"created":{"by","at"},"updated":{"by","at"}}
list        [{"id","code","type","unit","fields":{},"conflicts":[field…],"deleted":bool,"unsent":bool,"created":{"by","at"},"updated":{"by","at"}}…]
find        [{"id","code","type","unit","fields":{},"conflicts":[field…],"deleted":bool,"unsent":bool,"created":{"by","at"},"updated":{"by","at"}}…]
show        {"registers":{field:[{"value","by","device","seq","at"}…]}}
review list [{"record","code","type","unit","field","base","heads":[{"value","by","device","seq","at"}…],"since"}…]
history     [{"at","by","device","seq","changes":{field:{"old","new"}},"note","lost":bool}…]
sync        {"server","up":{"commits","bytes"},"down":{"states","bytes"},"requests","new_conflicts","digest":"equal"|"healed","seconds"}
server invite {"invite","expires","fingerprint"}
status      {"device","person","role","units":[],"records":{type:n},"unsent":n,"conflicts":n,"last_sync","receipts":[{"server","seq","at"}…]}
duplicates list [{"a","b","score","reasons":[…]}…]
import      {"added","changed","unchanged","rejected","file"}
server upstream sync {"server","up":{"commits","bytes"},"down":{"states","bytes"},"requests","new_conflicts","digest":"equal"|"healed","seconds"}
"""
_TOKEN = re.compile(r'"\w+"|\w+|[{}\[\]:,|…]')


def _commands() -> list[str]:
    """Return what can be run: the commands, and the groups that are one themselves."""
    at = {(): COMMANDS, **{path: _node(path) for path in generate.paths()}}
    return [" ".join(path) for path, node in at.items() if not isinstance(node, GroupSpec) or node.default is not None]


def _node(path):
    node = COMMANDS
    for name in path:
        node = node.commands[name]
    return node


def test_every_command_has_a_type_for_its_document():
    """A command that is added says what it gives with --json; they stand in the order of the help."""
    assert set(_commands()) == {*DOCUMENTS, *WITHOUT}
    assert list(DOCUMENTS) == [one for one in _commands() if one in DOCUMENTS]


@pytest.mark.parametrize("promise", PROMISED.splitlines())
def test_promised_keys_are_in_the_schema(promise):
    """Each key of the shapes that scripts rely on, with its kind."""
    command, text = re.split(r"\s+(?=[{\[])", promise, maxsplit=1)
    schema = json.loads((Path(generate.HERE) / "json-schema.json").read_text("utf-8"))
    _compare(_shape(_TOKEN.findall(text)), schema["$defs"][command], schema["$defs"], command)


def test_the_page_describes_every_type():
    """Each type has a sentence, and a line `key: meaning` of a docstring names an existing key."""
    for name, schema in json_page.json_schema()["$defs"].items():
        if "properties" in schema:
            assert schema["description"].endswith("."), name


def _shape(tokens: list[str]) -> Any:
    """Read a shape as it is written down: objects as dicts, lists as lists, kinds as words; None where nothing is said."""
    token = tokens.pop(0)
    if token == "{":
        made: dict[str, Any] = {}
        while (key := tokens.pop(0)) != "}":
            made[key] = None
            if tokens[0] == ":":
                tokens.pop(0)
                made[key] = _shape(tokens)
            if tokens[0] == ",":
                tokens.pop(0)
        return made
    if token == "[":
        inner = None if tokens[0] in "]…" else _shape(tokens)
        while tokens.pop(0) != "]":
            pass
        return [inner]
    while tokens and tokens[0] == "|":
        del tokens[:2]
    return "text" if token.startswith('"') else token


def _compare(shape: Any, schema: Any, defs: Any, place: str) -> None:
    several = [schema]
    while any("$ref" in one or "anyOf" in one for one in several):
        several = [
            found
            for one in several
            for found in ([defs[one["$ref"].removeprefix("#/$defs/")]] if "$ref" in one else one.get("anyOf", [one]))
        ]
    kind = {dict: "object", list: "array"}.get(type(shape)) or {
        "bool": "boolean",
        "n": "integer",
        "text": "string",
    }.get(shape)
    found = next((one for one in several if kind in (None, one.get("type"))), None)
    assert found is not None, f"{place} is no {kind}"
    if isinstance(shape, list):
        _compare(shape[0], found["items"], defs, f"{place}[]")
    if isinstance(shape, dict):
        for key, value in shape.items():
            if key.startswith('"'):
                assert key.strip('"') in found["properties"], f"{place} lacks {key}"
                _compare(value, found["properties"][key.strip('"')], defs, f"{place}.{key}")
            else:
                _compare(value, found["additionalProperties"], defs, f"{place}.{key}")


@pytest.mark.parametrize(
    "document",
    [
        '{"invite":"x","expires":"y"}', '{"invite":"x","expires":"y","fingerprint":"z","more":1}',
        '{"invite":"x","expires":"y","fingerprint":7}', '{"fingerprint":"z","invite":"x","expires":"y"}', "[]",
    ],
)  # fmt: skip
def test_a_document_of_another_shape_is_detected(document):
    """Missing, additional, misplaced keys, another kind, and the document of another command."""
    json_shapes.check(("server", "invite", "Amal", "--json"), '{"invite":"x","expires":"y","fingerprint":"z"}')
    with pytest.raises(AssertionError, match="server invite"):
        json_shapes.check(("server", "invite", "Amal", "--json"), document)

"""Makes docs/json.md and docs/json-schema.json from fieldsync/json_documents.py and the docstrings of the types that it lists."""

import inspect
import json
import re
from typing import Any

import msgspec

from fieldsync.json_documents import DOCUMENTS, WITHOUT, Failed, Output

Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
_KEY = re.compile(r"(\w+): (.*)")
_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
_INTRODUCTION = """\
# What `--json` gives

Made by `make docs` from the types of the commands' results; tests compare it with what commands print. The same as a JSON Schema:
[json-schema.json](json-schema.json), with a definition for each command (`#/$defs/server%20devices`) and for each type.

- A command gives one document and a line's end, in UTF-8, on standard output. `sync --watch` gives one in each line.
- Times are RFC 3339 in UTC, dates `YYYY-MM-DD`, numbers are numbers. Ids are UUIDs, but those of devices are 32 hexadecimal digits.
- A key marked *sometimes* is only there where it says something. New keys may be added to any object; none is taken away.
- Where a command fails it gives [Failed](#failed) in place of its document; the [exit code](cli.md) is that of the error. `check` and
  `doctor` give their document, too, with the exit code of the fault that they found.
- These give no document: {without}.
"""


def _outputs() -> list[tuple[str, Output]]:
    return [(command, one) for command, outputs in DOCUMENTS.items() for one in outputs]


def json_schema() -> Schema:
    """Return the JSON Schema of all documents: a definition for each command, and one for each type."""
    pairs = _outputs()
    schemas, types = _components([Failed, *(one.type for _, one in pairs)])
    structs = {struct.__name__: struct for struct in _structs([Failed, *(one.type for _, one in pairs)])}
    commands: dict[str, list[Schema]] = {}
    for (command, one), schema in zip(pairs, schemas[1:], strict=True):
        commands.setdefault(_called(command), []).append(schema | ({"description": one.when} if one.when else {}))
    for name, schema in types.items():
        summary, keys = described(structs[name])
        schema["description"] = summary
        schema["required"] = _always(structs[name])
        for key, value in schema["properties"].items():
            value.pop("default", None)
            schema["properties"][key] = ({"description": keys[key]} if key in keys else {}) | value
    return {
        "$schema": _DIALECT,
        "title": "What the commands of fieldsync give with --json",
        "$defs": {
            **{name: one[0] if len(one) == 1 else {"anyOf": one} for name, one in commands.items()},
            **types,
        },
    }


def _components(types: list[Any]) -> tuple[tuple[Schema, ...], dict[str, Schema]]:
    def anything(kind: type) -> Schema:
        if kind is not object:
            raise NotImplementedError(kind)
        return {"$comment": "any value"}

    return msgspec.json.schema_components(types, schema_hook=anything, ref_template=_REF + "{name}")


def _called(command: str) -> str:
    return command or "fieldsync"


def _structs(types: list[Any]) -> list[type[msgspec.Struct]]:
    """Return the structs that types are made of."""
    found: dict[type[msgspec.Struct], None] = {}

    def walk(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if info.cls in found:
                return
            found[info.cls] = None
            for field in info.fields:
                walk(field.type)
        for name in ("item_type", "key_type", "value_type"):
            if hasattr(info, name):
                walk(getattr(info, name))
        for one in getattr(info, "types", ()):
            walk(one)

    for one in types:
        walk(msgspec.inspect.type_info(one))
    return list(found)


def _always(struct: type[msgspec.Struct]) -> list[str]:
    """Return the keys that are always there."""
    fields = msgspec.structs.fields(struct)
    if struct.__struct_config__.omit_defaults:
        return [field.encode_name for field in fields if field.required]
    return [field.encode_name for field in fields if field.default is not msgspec.UNSET]


def described(struct: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    """Return what a struct's docstring says of it, and of its keys: lines `key: meaning`, also those of the structs it extends."""
    keys: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            keys |= _split(base)[1]
    wrong = keys.keys() - set(struct.__struct_encode_fields__)
    if wrong:
        raise ValueError(f"{struct.__name__} has no {', '.join(sorted(wrong))}")
    return _split(struct)[0], keys


def _split(struct: type[msgspec.Struct]) -> tuple[str, dict[str, str]]:
    about, _, rest = inspect.cleandoc(struct.__doc__ or "").partition("\n\n")
    keys: dict[str, str] = {}
    for line in rest.splitlines():
        begins = _KEY.match(line)
        if begins is not None:
            keys[begins[1]] = begins[2]
        elif keys:
            keys[next(reversed(keys))] += f" {line}"
    return " ".join(about.split()), {key: text[:1].upper() + text[1:] for key, text in keys.items()}


def schema_text() -> str:
    """Return docs/json-schema.json."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


def page() -> str:
    """Return docs/json.md."""
    defs = json_schema()["$defs"]
    lines = [_INTRODUCTION.format(without=", ".join(f"`{name}`" for name in sorted(WITHOUT))), "## Commands\n"]
    lines += ["| command | document |", "|---|---|"]
    for command, one in _outputs():
        (schema,), _ = _components([one.type])
        lines.append(f"| {f'`{_called(command)}` {one.when}'.strip()} | {_kind(schema)} |")
    lines.append("\n## Types")
    for name, schema in defs.items():
        if "properties" not in schema or name in map(_called, DOCUMENTS):
            continue
        lines += [f"\n### {name}\n", schema["description"], "\n| key | value | |", "|---|---|---|"]
        for key, value in schema["properties"].items():
            kind = _kind(value) if key in schema.get("required", ()) else f"{_kind(value)}, *sometimes*"
            lines.append(f"| `{key}` | {kind} | {value.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _kind(schema: Schema) -> str:
    """Return what a value is, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(one) for one in schema["anyOf"])
        return "a field's value" if len(kinds) > 4 else " or ".join(kinds)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if schema.get("items") else "list"
    if schema.get("type") == "object":
        value = schema.get("additionalProperties")
        return f"object of {_kind(value)}" if value else "object"
    return _KINDS.get(schema.get("type", ""), "any value")

"""Shell completion.

It never asks for a passphrase. If a key file or an unlocked store opens the store without one, its own forms, codes and units are
offered; else the shipped forms are.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from typer import Argument

from fieldsync import errors
from fieldsync.commands import settings_of, tell
from fieldsync.commands.support import needed_types
from fieldsync.commands.support.settings import Settings

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.schema.model import Schema, Type

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_MOST = 30  # codes that are offered
_CODE = re.compile(r"[A-Z0-9]+(-[A-Z0-9]+)+")
VARIABLE = "_FIELDSYNC_COMPLETE"  # what the script sets when it asks


class CompletionScript(Struct, frozen=True):
    """A script for a shell's start-up file."""

    shell: str
    script: str


def completion(
    ctx: typer.Context, shell: Annotated[str, Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh.")]
) -> None:
    """Print a script that lets a shell complete commands, options and record types, for its start-up file.

    Example: fieldsync completion bash >> ~/.bashrc
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise errors.Usage(reason="shell", given=shell, known=list(SHELLS))
    script = get_completion_script(prog_name="fieldsync", complete_var=VARIABLE, shell=shell)
    if shell == "bash":  # FIELD= goes on with its value
        ready = "COMPREPLY[0]"
        script = script.replace(
            "    return 0", f'    [[ "${{{ready}}}" == *= ]] && compopt -o nospace\n    return 0', 1
        )
    if settings_of(ctx).json:
        tell(ctx, CompletionScript(shell, script), lambda _out: None)
    else:
        typer.echo(script)


def types(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the record types that begin so, by their names, or by their labels where these begin so."""
    known = _schema(ctx).types.values()
    names = [one.name for one in known]
    labels = [label for one in known for label in one.label.values() if incomplete and not incomplete.isascii()]
    return sorted(name for name in (*names, *labels) if name.startswith(incomplete))


def fields(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the fields that begin so: of the type that the command line names, or else of all."""
    named = [name for kind in _types_meant(ctx) for name in kind.fields]
    labels = [] if incomplete.isascii() else [one for kind in _types_meant(ctx) for one in _labels(kind)]
    return sorted({name for name in (*named, *labels) if name.startswith(incomplete)})


def sorting(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the fields to sort by, with their sign."""
    sign = "-" if incomplete.startswith("-") else ""
    return [sign + name for name in fields(ctx, incomplete.removeprefix(sign))]


def pairs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return FIELD= for the fields that begin so, and behind it what there is to choose."""
    name, equals, value = incomplete.partition("=")
    if not equals:
        return [f"{one}=" for one in fields(ctx, name)]
    head, comma, last = value.rpartition(",")
    if name == "unit":
        return [f"unit={one}" for one in units(ctx, value)]
    found = dict.fromkeys(
        code
        for kind in _types_meant(ctx)
        for field in kind.fields.values()
        if name in (field.name, *field.label.values())
        for code in (("true", "false") if field.type == "bool" else [one.code for one in field.offered_choices])
    )
    return [f"{name}={head}{comma}{code}" for code in found if code.startswith(last)]


def codes(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the codes of records that begin so."""
    with _opened(ctx) as node:
        if node is None:
            return []
        with node.store.read() as tx:
            return tx.codes_like(incomplete.upper(), _MOST)


def units(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the units with this beginning: the user's own, those of records here, and those of the servers' lists."""
    from fieldsync.core.units import LEFT, unit_of_channel

    with _opened(ctx) as node:
        if node is None:
            return []
        with node.store.read() as tx:
            found = {grant.unit for grant in node.grants} | {unit_of_channel(one.unit) for one in tx.channels()}
            found |= {unit for server in tx.servers() for unit in tx.peer_settings(server.id).units}
    return sorted(unit for unit in found - {LEFT} if unit.startswith(incomplete))


def schema_of(settings: Settings) -> "Schema":
    """Return the forms in force, where the store can be opened without asking; else those that are shipped."""
    from fieldsync.schema import load

    with _opened_silently(settings) as node:
        return load.load_texts(load.shipped_texts()) if node is None else node.schema


def _schema(ctx: typer.Context) -> "Schema":
    from fieldsync.schema.model import Schema

    settings = ctx.find_object(Settings)
    if settings is None or needed_types.all_hidden(ctx.find_root().command):
        return Schema({}, "")
    return schema_of(settings)


def _types_meant(ctx: typer.Context) -> "list[Type]":
    """Return the record types that a command line is about: the one that it names, that of a record that it names, or all.

    The library does not tell the words of a line that breaks off in the middle of an option.
    """
    from fieldsync.schema import given_names

    schema, settings = _schema(ctx), ctx.find_object(Settings)
    for word in settings.typed if settings is not None else ():
        try:
            return [given_names.type_named(schema, word)]
        except errors.UnknownType:
            named = _type_of(ctx, word) if _CODE.fullmatch(word) else None
            if named in schema.types:
                return [schema.types[named]]
    return list(schema.types.values())


def _type_of(ctx: typer.Context, record: str) -> str:
    """Return the type of a record; nothing where it is not known."""
    from fieldsync.replica.lookup import find_row

    with _opened(ctx) as node:
        if node is None:
            return ""
        try:
            with node.store.read() as tx:
                return find_row(tx, record).state.type
        except errors.FieldsyncError:
            return ""


def _labels(kind: "Type") -> list[str]:
    return [label for field in kind.fields.values() for label in field.label.values()]


def _opened(ctx: typer.Context) -> "AbstractContextManager[Node | None]":
    settings = ctx.find_object(Settings)
    return nullcontext() if settings is None else _opened_silently(settings)


@contextmanager
def _opened_silently(settings: Settings) -> "Iterator[Node | None]":
    """Open the store where that takes neither a question nor time: with a key file, or while it is unlocked."""
    from fieldsync.commands.support import secrets
    from fieldsync.replica import node as nodes

    def busy(_second: int) -> None:
        raise errors.StoreBusy

    try:
        node = nodes.open_node(settings.folder, secrets.unlock_silently, waiting=busy)
    except (errors.FieldsyncError, OSError):
        yield None
        return
    try:
        yield node
    finally:
        node.close()


def approvals(incomplete: str) -> list[str]:
    """Return what awaits somebody's approval."""
    return [kind for kind in ("plan", "closure", "event") if kind.startswith(incomplete)]


def roles(incomplete: str) -> list[str]:
    """Return the roles that begin so."""
    from fieldsync.core.grants import ROLES

    return [role for role in ROLES if role.startswith(incomplete)]


def reports(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the shipped reports whose names begin so, and what issues them."""
    from pathlib import Path

    from fieldsync.reports import definitions
    from fieldsync.schema.model import Schema

    found = definitions.available_reports(Path("-"), usable=True)
    if needed_types.all_hidden(ctx.find_root().command):
        found = definitions.fitting_reports(found, Schema({}, ""))
    return [name for name in (*found, "freeze") if name.startswith(incomplete)]

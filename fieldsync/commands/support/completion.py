"""Completion: what a shell fills in when a person presses Tab. Nothing is opened for it, so no passphrase is asked."""

from typing import Annotated

import typer
from msgspec import Struct
from typer import Argument

from fieldsync import errors
from fieldsync.commands import settings_of, tell
from fieldsync.commands.support import needed_types

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
VARIABLE = "_FIELDSYNC_COMPLETE"  # what the script sets when it asks


class CompletionScript(Struct, frozen=True):
    """What a shell is to run at its start."""

    shell: str
    script: str


def completion(
    ctx: typer.Context, shell: Annotated[str, Argument(metavar="SHELL", help="bash, zsh, fish, powershell or pwsh.")]
) -> None:
    """Write a script with which a shell completes commands, options and record types: for its start-up file.

    Example: fieldsync completion bash >> ~/.bashrc
    """
    from typer._completion_shared import get_completion_script

    if shell not in SHELLS:
        raise errors.Usage(reason="shell", given=shell, known=list(SHELLS))
    script = get_completion_script(prog_name="fieldsync", complete_var=VARIABLE, shell=shell)
    if settings_of(ctx).json:
        tell(ctx, CompletionScript(shell, script), lambda _out: None)
    else:
        typer.echo(script)


def types(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the shipped record types that begin so: what a store's own forms add is behind its passphrase."""
    from fieldsync.schema import load

    if needed_types.all_hidden(ctx.find_root().command):
        return []
    return sorted(name for name in load.load_texts(load.shipped_texts()).types if name.startswith(incomplete))


def approvals(incomplete: str) -> list[str]:
    """Return what may wait for approval."""
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

"""The command tree, grown only as far as a command line reaches: a `show` must not pay for the server's modules."""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

from fieldsync import errors
from fieldsync.commands import Settings

EVERYWHERE = (
    "Everywhere, before or after the command's name: --json, --home DIR, --lang ar|en, --rtl auto|logical|visual|plain, "
    "--passphrase-file FILE."
)


@dataclass(frozen=True)
class Leaf:
    """One command: `module:function` within this package."""

    function: str


@dataclass(frozen=True)
class Branch:
    """Commands under one name; `default` is the one that runs when none of them is given."""

    help: str
    default: str | None
    commands: "Mapping[str, Leaf | Branch]"


def grow(tree: Branch) -> Callable[[list[str], Settings], int]:
    """Return what runs a command line's words and returns the exit code; the words' faults are Usage."""

    def run(words: list[str], settings: Settings) -> int:
        group = _command("fieldsync", tree)
        try:
            code = group.main(args=words, prog_name="fieldsync", standalone_mode=False, obj=settings)
        except typer.Abort:
            raise KeyboardInterrupt from None
        except SystemExit:  # how typer leaves when nobody reads its output any more
            raise BrokenPipeError from None
        except typer.TyperException as fault:
            raise errors.Usage(reason="words", message=fault.format_message(), command=_path(fault)) from fault
        return code if isinstance(code, int) else 0

    return run


def _path(fault: BaseException) -> str:
    return str(getattr(getattr(fault, "ctx", None), "command_path", "fieldsync"))


def _command(name: str, node: Leaf | Branch) -> Any:
    plain = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
    if isinstance(node, Leaf):
        app = typer.Typer(**plain)  # type: ignore[arg-type]  # one set of options for both kinds
        app.command(name, epilog=EVERYWHERE)(_function(node.function))
        return typer.main.get_command(app)
    default = node.default
    options = {"cls": _Group, "invoke_without_command": default is not None, "no_args_is_help": default is None}
    text = node.help if default is None else f"{node.help}\n\n{_example(_function(default))}"
    app = typer.Typer(name=name, help=text, epilog=EVERYWHERE, **plain, **options)  # type: ignore[arg-type]  # as above
    app.callback()(_alone(_function(default)) if default else _nothing)
    group = typer.main.get_group(app)
    assert isinstance(group, _Group)
    group.branch = node
    return group


def _alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a group's default command: it does nothing when a command below it was asked for."""

    @functools.wraps(function)
    def default(ctx: typer.Context, **given: Any) -> Any:
        return function(ctx=ctx, **given) if ctx.invoked_subcommand is None else None

    return default


def _example(function: Callable[..., Any]) -> str:
    """The example of a command's help."""
    return inspect.cleandoc(function.__doc__ or "").rpartition("\n\n")[2]


def _nothing() -> None:
    """Only the commands below do something."""


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"fieldsync.commands.{module}"), function)
    return found


class _Group(TyperGroup):
    """A group whose commands are made when they are asked for."""

    branch: Branch

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        return list(self.branch.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        node = self.branch.commands.get(cmd_name)
        return None if node is None else _command(cmd_name, node)

"""The command tree, built only as far as a command line needs, so that `show` does not import the server's modules."""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from typer._completion_classes import completion_init

from fieldsync import errors
from fieldsync.commands.support import completion, help_text, needed_types
from fieldsync.commands.support.settings import Settings

EVERYWHERE = (
    "Everywhere, before or after the command's name: --json, --home DIR, --lang ar|en, --rtl auto|logical|visual|plain, "
    "--plain (for screen readers), --passphrase-file FILE."
)


@dataclass(frozen=True)
class CommandSpec:
    """One command: `module:function`, in this package unless the full module name is given."""

    function: str
    needs: tuple[str, ...] = ()  # record types; without them it does not show


@dataclass(frozen=True)
class GroupSpec:
    """Commands under one name; `default` runs if none of them is given."""

    help: str
    default: str | None
    commands: "Mapping[str, CommandSpec | GroupSpec]"
    needs: tuple[str, ...] = ()  # as of a command, for all of them
    takes: bool = False  # whether the default takes words of its own: those that name no command below
    parts: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # headings in its help, and the commands under them


def command_runner(tree: GroupSpec) -> Callable[[list[str], Settings], int]:
    """Return what runs a command line's words and returns the exit code; the words' faults are Usage."""

    def run(words: list[str], settings: Settings) -> int:
        group = command("fieldsync", tree, settings)
        if completion.VARIABLE in os.environ:  # a shell asks what may come next
            from fieldsync.commands.support import shell_words

            completion_init()
            shell = os.environ[completion.VARIABLE].partition("_")[2]
            return shell_words.answer(
                shell, settings, lambda: group.main(args=[], prog_name="fieldsync", standalone_mode=False, obj=settings)
            )
        try:
            code = group.main(args=words, prog_name="fieldsync", standalone_mode=False, obj=settings)
        except typer.Abort:
            raise KeyboardInterrupt from None
        except SystemExit:  # how typer leaves when nobody reads its output any more
            raise BrokenPipeError from None
        except typer.TyperException as fault:
            if settings.json or not help_text.asks_for_help(fault):
                raise help_text.usage(fault) from fault
            sys.stderr.write(fault.message + "\n")
            return errors.Usage.exit
        return code if isinstance(code, int) else 0

    return run


def command(name: str, node: CommandSpec | GroupSpec, settings: Settings) -> Any:
    """Return a command or a group, its help in the language that the settings speak."""
    made = _make_command(name, node) if isinstance(node, CommandSpec) else _make_group(name, node, settings)
    made.needs = node.needs
    made.lang, made.rtl = settings.language_of_sentences, settings.rtl
    if completion.VARIABLE in os.environ:  # a shell shows what options mean
        made.translate()
    return made


_NAMES = {"help_option_names": ["-h", "--help"]}
_PLAIN: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}


def _make_command(name: str, node: CommandSpec) -> Any:
    app = typer.Typer(**_PLAIN)
    app.command(name, epilog=EVERYWHERE, cls=help_text.Command, context_settings=dict(_NAMES))(_function(node.function))
    return typer.main.get_command(app)


def _make_group(name: str, node: GroupSpec, settings: Settings) -> Any:
    default = node.default
    text = node.help if default is None else f"{node.help}\n\n{_example(_function(default))}"
    app = typer.Typer(
        name=name, help=text, epilog=EVERYWHERE, cls=_Group, invoke_without_command=default is not None,
        no_args_is_help=default is None, context_settings=dict(_NAMES), **_PLAIN,
    )  # fmt: skip
    app.callback()(_alone(_function(default)) if default else _nothing)
    group = typer.main.get_group(app)
    assert isinstance(group, _Group)
    group.spec, group.settings, group.parts = node, settings, node.parts
    group.needs_below = {below: one.needs for below, one in node.commands.items()}
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
    path = module if module.startswith("fieldsync.") else f"fieldsync.commands.{module}"
    found: Callable[..., Any] = getattr(importlib.import_module(path), function)
    return found


class _Group(help_text.Group):
    """A group whose commands are made when they are asked for."""

    spec: GroupSpec
    settings: Settings
    needs_below: Mapping[str, tuple[str, ...]]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave the first word to the command of that name, where the default would take it as its own."""
        if self.spec.takes and args and args[0] in self.spec.commands:
            self.params = [one for one in self.params if one.param_type_name != "argument"]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        lacking = needed_types.hidden(self.settings.folder) if any(self.needs_below.values()) else frozenset()
        return [name for name, needs in self.needs_below.items() if not needs or name not in lacking]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        node = self.spec.commands.get(cmd_name)
        return None if node is None else command(cmd_name, node, self.settings)

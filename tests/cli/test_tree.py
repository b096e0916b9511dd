"""The command tree: every command has help with an example, and says what may be given everywhere."""

import re

import pytest

from fieldsync.cli import COMMANDS
from fieldsync.commands.support.lazy_tree import EVERYWHERE, GroupSpec
from tests.cli.conftest import World

ASKED = {
    "join", "add", "edit", "show", "list", "find", "history", "remove", "move", "sync", "status", "review", "review list", "review show",
    "review take", "review bulk", "review undo", "import", "export", "schema list", "schema show", "schema check", "check",
    "server init", "server run", "server invite", "server devices", "server revoke", "server grant", "passphrase", "demo",
    "server upstream set", "server upstream sync", "server upstream schedule", "pack", "unpack",
    "backup", "restore", "schema publish", "server check", "server backup", "server restore",
}  # fmt: skip


def _names(group: GroupSpec, above: str = "") -> list[str]:
    found = []
    for name, node in group.commands.items():
        whole = f"{above}{name}"
        if isinstance(node, GroupSpec):
            found += _names(node, whole + " ")
        if not isinstance(node, GroupSpec) or node.default is not None:
            found.append(whole)
    return found


NAMES = sorted(_names(COMMANDS))  # all that does something by itself


def test_all_commands_are_there() -> None:
    """What scripts and people rely on; there may be more."""
    assert set(NAMES) >= ASKED


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example(world: World, name: str) -> None:
    """--help works without a store, and shows an example that begins with the command."""
    said = world.here("nobody", *name.split(), "--help")
    assert said.code == 0
    # `server check` and its like are the laptop's commands, and show those
    assert re.search(rf"Example: fieldsync (--home \S+ )?({name}|{name.removeprefix('server ')})\b", said.out)
    assert "--json" in " ".join(said.out.split())
    assert EVERYWHERE.split(":")[0] in said.out


def test_help_stands_under_headings_and_is_not_cut(world: World) -> None:
    """-h is --help; each command with its whole first sentence, in either language; the headings name commands that there are."""
    told = {name for names in COMMANDS.parts.values() for name in names}
    assert told == set(COMMANDS.commands), "a new command takes its place under a heading in cli.py"
    for words in ((), ("review",), ("server", "upstream"), ("add",)):
        said = world.here("nobody", *words, "-h")
        assert (said.code, said.out) == (0, world.here("nobody", *words, "--help").out)
        assert "..." not in said.out.replace("[ARGS]...", "").replace("...]", "")
    shown = " ".join(world.here("nobody", "-h").out.split())
    assert "Records: add Save a new record; without --set and --from on a terminal, a form opens edit" in shown
    assert "السجلات:" in world.here("nobody", "-h", "--lang", "ar").out

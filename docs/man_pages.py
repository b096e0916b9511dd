"""Manual pages, made from the commands' own help as docs/cli.md is: one for the program, and one for each of its commands."""

import re
from collections.abc import Iterator
from typing import Any

_EXAMPLE = "Example: "


def man_pages(exit_codes: dict[str, str]) -> dict[str, str]:
    """Return the pages by their file's name."""
    from fieldsync.cli import COMMANDS
    from fieldsync.commands.support.lazy_tree import command
    from fieldsync.commands.support.settings import Settings

    settings = Settings(lang="en")
    root = command("fieldsync", COMMANDS, settings)
    made = {name: command(name, node, settings) for name, node in COMMANDS.commands.items()}
    pages = {"fieldsync.1": "\n".join(_program(root, made, COMMANDS.parts, exit_codes)) + "\n"}
    for name, one in made.items():
        pages[f"fieldsync-{name}.1"] = "\n".join(_page(name, one, COMMANDS.commands[name])) + "\n"
    return pages


def _program(root: Any, made: dict[str, Any], parts: Any, exit_codes: dict[str, str]) -> Iterator[str]:
    from fieldsync.ui.terminal import messages

    yield from _head("fieldsync", _sentence(root.help))
    yield from (".SH SYNOPSIS", ".B fieldsync", "[OPTIONS] COMMAND [ARGS]", ".SH COMMANDS")
    named = {name for names in parts.values() for name in names}
    for heading, names in (*parts.items(), ("more", tuple(name for name in made if name not in named))):
        if names:
            yield f'.SS "{_text(messages.phrase(f"help_{heading}", "en"))}"'
            for name in (one for one in names if one in made):
                yield from (".TP", f".BR fieldsync\\-{_text(name)} (1)", _text(_sentence(made[name].help)))
    yield from (".SH OPTIONS", _text(root.epilog))
    yield ".SH EXIT STATUS"
    for code, meaning in exit_codes.items():
        yield from (".TP", f".B {code}", _text(meaning))


def _page(name: str, made: Any, node: object) -> Iterator[str]:
    from fieldsync.commands.support.lazy_tree import GroupSpec, command
    from fieldsync.commands.support.settings import Settings

    yield from _head(f"fieldsync-{name}", _sentence(made.help))
    yield ".SH SYNOPSIS"
    if isinstance(node, GroupSpec):
        yield from (f".B fieldsync {_text(name)}", "COMMAND [ARGS]")
    else:
        yield from _synopsis(f"fieldsync {name}", made)
    yield ".SH DESCRIPTION"
    yield from _described(made)
    if isinstance(node, GroupSpec):
        yield ".SH COMMANDS"
        yield from _below(name, node)
    yield from (".SH EVERYWHERE", _text(made.epilog), ".SH SEE ALSO", ".BR fieldsync (1)")


def _below(name: str, node: Any) -> Iterator[str]:
    from fieldsync.commands.support.lazy_tree import GroupSpec, command
    from fieldsync.commands.support.settings import Settings

    for below, one in node.commands.items():
        if isinstance(one, GroupSpec):
            yield from _below(f"{name} {below}", one)
            continue
        made = command(below, one, Settings(lang="en"))
        yield f'.SS "fieldsync {_text(name)} {_text(below)}"'
        yield from _synopsis(f"fieldsync {name} {below}", made)
        yield ".PP"
        yield from _described(made)


def _head(name: str, about: str) -> Iterator[str]:
    yield f'.TH {_text(name.upper())} 1 "" "fieldsync"'
    yield from (".SH NAME", f"{_text(name)} \\- {_text(about)}")


def _synopsis(called: str, made: Any) -> Iterator[str]:
    arguments = [param.metavar or param.name.upper() for param in made.params if param.param_type_name == "argument"]
    yield from (f".B {_text(called)}", _text(" ".join([*arguments, "[OPTIONS]"])))


def _described(made: Any) -> Iterator[str]:
    for paragraph in (made.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith(_EXAMPLE):
            yield from (".PP", "Example:", ".PP", ".RS", ".nf", _text(text.removeprefix(_EXAMPLE)), ".fi", ".RE")
        elif text:
            yield from (".PP", _text(text))
    for param in made.params:
        if getattr(param, "help", None):
            names = param.metavar or param.name if param.param_type_name == "argument" else ", ".join(param.opts)
            value = f" {param.metavar}" if param.param_type_name == "option" and param.metavar else ""
            yield from (".TP", f".B {_text(names + value)}", _text(" ".join(param.help.split())))


def _sentence(text: str | None) -> str:
    first = " ".join((text or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", first, maxsplit=1)[0].rstrip(".")


def _text(words: str | None) -> str:
    """Return words as roff takes them: no sign is a request."""
    said = " ".join((words or "").split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + said if said[:1] in (".", "'") else said

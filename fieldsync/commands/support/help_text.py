"""Help in the user's language and the terminal's text direction, and errors for unknown commands and options."""

import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from fieldsync import errors

# late imports: a command that is not asked for help needs no words of it

__all__ = ["Command", "Group", "asks_for_help", "usage"]
_SENTENCE = r"(?<=[.؟])\s"
_EXTRA = (
    r"\s*\[(?:default: (?P<default>[^;\]]*))?(?:; )?(?:(?P<least>\d+)<=)?x?(?:>=(?P<only>\d+)|<=(?P<most>\d+))?"
    r"(?:; )?(?P<required>required)?\]$"
)
_METAVARS = {"str": "TEXT", "int": "N", "int range": "N"}  # of parameters that have none of their own, by their type
_PLACEHOLDER = re.compile("[\u0600-\u06ff]+")


class Formatter(typer.Context.formatter_class):  # type: ignore[misc,valid-type]  # its only public name
    """Lays help out: command words from the left, sentences each in their own direction, lines cut before they are turned."""

    lang = "en"
    form = "plain"

    def _sentence(self, text: str, width: int) -> list[str]:
        """Return a paragraph in lines, each kept to itself."""
        from fieldsync.ui.terminal import bidi

        rtl = self.lang == "ar"
        # an Arabic line that begins with a Latin word is an Arabic line all the same
        first = "\u200f" if rtl and self.form == "isolates" else ""
        return [
            bidi.screen_line(first + line, self.form, rtl=rtl)
            for line in textwrap.wrap(text, width, break_on_hyphens=False)
        ]

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how the command is typed, under its heading where that is not English."""
        if self.lang == "en":
            super().write_usage(prog, args, prefix)
            return
        from fieldsync.ui.terminal import messages

        self.write_heading("Usage")
        typed = re.sub(r"\{(<[^{}]*>)\}", r"\1", f"{prog} {messages.translate_metavar(args, self.lang)}")
        self.write("\n".join("  " + self._placed(line) for line in _typed(typed, self.width - 2)) + "\n")

    def _placed(self, typed: str) -> str:
        """Return what is typed, from the left, the placeholders in it each kept to itself."""
        from fieldsync.ui.terminal import bidi

        kept = _PLACEHOLDER.sub(lambda found: bidi.isolate_value(found[0], self.form), typed)
        return bidi.write_line(kept, self.form, rtl=False) if self.form == "visual" else kept

    def write_heading(self, heading: str) -> None:
        """Write a heading in the person's language."""
        from fieldsync.ui.terminal import bidi, messages

        said = messages.phrase(f"help_{heading.lower()}", self.lang) + ":"
        self.write(bidi.write_line(f"{'':>{self.current_indent}}{said}", self.form, rtl=self.lang == "ar") + "\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs; commands to type are on lines of their own, left to right."""
        if self.lang == "en":
            super().write_text(text)
            return
        from fieldsync.ui.terminal import bidi

        inset = " " * self.current_indent
        parts = []
        for part in text.split("\n\n"):
            said, _, typed = part.partition(": fieldsync ")
            lines = self._sentence(said + (":" if typed else ""), self.width - self.current_indent)
            if typed:
                shown = _typed("fieldsync " + typed, self.width - 4)
                lines += [bidi.write_line(line, self.form, rtl=False) for line in shown]
            parts.append("\n".join(inset + line for line in lines))
        self.write("\n\n".join(parts) + "\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their meanings."""
        if self.lang == "en":
            super().write_dl(rows, col_max, col_spacing)
            return
        from fieldsync.ui.terminal import bidi

        shown = [(self._placed(name), meaning) for name, meaning in rows]
        widths = [bidi.line_width(name) for name, _ in shown]
        first = min(max(widths), col_max) + col_spacing
        inset = " " * (first + self.current_indent)
        for (name, meaning), width in zip(shown, widths, strict=True):
            self.write(f"{'':>{self.current_indent}}{name}")
            lines = self._sentence(self._translate_extra(meaning), max(self.width - first - 2, 10))
            self.write("\n" + inset if width > first - col_spacing else " " * (first - width))
            self.write(f"\n{inset}".join(lines) + "\n")

    def _translate_extra(self, meaning: str) -> str:
        """Translate the library's additions to a meaning."""
        from fieldsync.ui.terminal import messages

        found = re.search(_EXTRA, meaning)
        if not found or not found[0].strip():
            return meaning
        parts = [f"{messages.phrase('help_default', self.lang)}: {found['default']}"] if found["default"] else []
        least, most = found["only"] or found["least"], found["most"]
        if least:
            key = "help_range" if most else "help_range_from"
            parts.append(messages.phrase(key, self.lang, least=least, most=most))
        parts += [messages.phrase("help_required", self.lang)] if found["required"] else []
        return f"{meaning[: found.start()]} [{'؛ '.join(parts)}]"


def _typed(text: str, width: int) -> list[str]:
    """Return a command to type as lines, continuation lines indented."""
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)


class _Speaking:
    """Common parts of commands and groups."""

    lang = "en"
    rtl = ""
    help: str | None = None
    epilog: str | None = None
    _translated = False
    needs: tuple[str, ...] = ()  # the record types without which it cannot work

    def get_help(self, ctx: Any) -> str:
        """Return the help as it is to be written."""
        from fieldsync.ui.terminal import messages

        self.translate()
        option = self.get_help_option(ctx)  # type: ignore[attr-defined]  # of the library's class beside this one
        if option is not None:
            option.help = messages.phrase("help_help", self.lang)
        made = type("_Formatter", (Formatter,), {"lang": self.lang, "form": self._form()})
        ctx.formatter_class = made
        return super().get_help(ctx)  # type: ignore[misc,no-any-return]  # as above

    def translate(self) -> None:
        """Put the help and the options' into the person's language."""
        if self._translated:
            return
        from fieldsync.ui.terminal import messages

        self._translated = True
        self.help = messages.translate_help(self.help or "", self.lang)
        self.epilog = messages.translate_help(self.epilog or "", self.lang)
        for param in self.params:  # type: ignore[attr-defined]  # as above
            if getattr(param, "help", None):
                param.help = messages.translate_help(param.help, self.lang)
            metavar = param.metavar or _METAVARS.get(param.type.name)
            param.metavar = metavar and messages.translate_metavar(metavar, self.lang)

    def _form(self) -> str:
        if self.lang == "en":
            return "plain"
        from fieldsync.ui.terminal import bidi

        return bidi.form_for(os.environ, tty=sys.stdout.isatty(), asked=self.rtl)


class Command(_Speaking, TyperCommand):
    """A command whose help speaks the person's language."""


class Group(_Speaking, TyperGroup):
    """A group whose help does; `parts` are headings over its commands, by the key of each in the catalogue."""

    parts: Mapping[str, Sequence[str]] = MappingProxyType({})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings, each with its whole first sentence: the library would cut it."""
        left = dict.fromkeys(self.list_commands(ctx))
        parts = [(heading, [name for name in names if name in left]) for heading, names in self.parts.items()]
        named = {name for _, names in parts for name in names}
        parts.append(("more" if named else "commands", [name for name in left if name not in named]))
        for heading, names in parts:
            if names:
                with formatter.section(heading):
                    formatter.write_dl([(name, _first_sentence(self.get_command(ctx, name))) for name in names])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is meant; Usage names those that are like it."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3, cutoff=0.7)
            reason = "like_command" if near else "no_command"
            raise errors.Usage(reason=reason, given=args[0], perhaps=near, command=ctx.command_path)
        return super().resolve_command(ctx, args)


def _first_sentence(command: Any) -> str:
    """Return the first sentence of a command's help."""
    command.translate()
    paragraph = " ".join((command.help or "").split("\n\n")[0].split())
    return re.split(_SENTENCE, paragraph, maxsplit=1)[0].rstrip(".")


def usage(fault: typer.TyperException) -> errors.Usage:
    """Return the fault of a command line, as facts."""
    ctx: Any = getattr(fault, "ctx", None)
    param: Any = getattr(fault, "param", None)
    facts: dict[str, Any] = {"command": ctx.command_path if ctx is not None else "fieldsync"}
    kind = _name(fault)
    if kind == "NoSuchOption":
        near = sorted(getattr(fault, "possibilities", None) or ())
        facts |= {
            "reason": "like_option" if near else "no_option",
            "given": getattr(fault, "option_name", ""),
            "perhaps": near,
        }
    elif kind == "MissingParameter":
        named = param.get_error_hint(ctx).strip("'") if param is not None else ""
        facts |= {"reason": "missing", "given": named}
    elif kind == "BadOptionUsage":
        flag = "does not take" in fault.message
        facts |= {"reason": "option_flag" if flag else "option_value", "given": getattr(fault, "option_name", "")}
    elif kind == "BadParameter" and param is not None and _is_number(param):
        least = getattr(param.type, "min", None)
        facts |= {"reason": "number" if least is None else "number_from", "least": least}
        facts |= {"given": param.get_error_hint(ctx).strip("'")}
    elif "unexpected extra" in fault.message:
        facts |= {"reason": "extra", "given": fault.message.partition("(s) (")[2].rstrip(")")}
    elif asks_for_help(fault) or fault.message == "Missing command.":
        facts |= {"reason": "which_command"}
    else:
        facts |= {"reason": "words", "message": fault.format_message().rstrip(".")}
    return errors.Usage(**facts)


def asks_for_help(fault: typer.TyperException) -> bool:
    """Return whether a command that needs words was given none: its message is its help."""
    return _name(fault) == "NoArgsIsHelpError"


def _name(fault: typer.TyperException) -> str:
    """Return which of click's faults it is: the library has its own copy of these classes, in a place without promise."""
    return type(fault).__name__


def _is_number(param: Any) -> bool:
    return re.match("int|float", getattr(param.type, "name", "")) is not None

"""Shell completion requests: the words of the command line, prepared for the command tree, and the global options.

bash splits FIELD=VALUE into three words and replaces only the last; zsh and fish send the line as it is. Global options
(--home, --lang) may stand before or after any command, and are removed before the tree is asked.
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Callable

from fieldsync import errors
from fieldsync.commands.support.settings import DIRECTIONS, Settings, take_settings

_LINE = "_TYPER_COMPLETE_ARGS"
_VALUED = ("--home", "--lang", "--rtl", "--passphrase-file")
_FLAGS = ("--json", "--plain")


def answer(shell: str, settings: Settings, ask: Callable[[], object]) -> int:
    """Answer a shell: `ask` asks the command tree, for the words that are left of the line. Return the exit code.

    fish asks twice: first whether there is anything to offer (1 where there is not), then for it.
    """
    found = _answer_text(shell, settings, ask)
    asks_whether = os.environ.get("_TYPER_COMPLETE_FISH_ACTION") == "is-args"
    if found and not asks_whether:
        sys.stdout.write(found)
    return int(asks_whether and not found)


def _answer_text(shell: str, settings: Settings, ask: Callable[[], object]) -> str:
    given, last = _words(shell)
    before = given[-1] if given else ""
    option, equals, value = last.partition("=")
    if before in ("--lang", "--rtl") or (equals and option in ("--lang", "--rtl")):
        name, typed, head = (before, last, "") if before in ("--lang", "--rtl") else (option, value, option + "=")
        known = DIRECTIONS if name == "--rtl" else _languages(settings)
        return _offered(shell, [head + one for one in known if one.startswith(typed)], last)
    with contextlib.suppress(errors.Usage):
        given = take_settings(given, settings)
    if before in _VALUED or (equals and option in _VALUED):
        return ""  # a file: the shell's own matter
    settings.typed = tuple(word for word in given if not word.startswith("-"))[1:]
    _set_words(shell, [*given, last])
    action = os.environ.get("_TYPER_COMPLETE_FISH_ACTION")
    if action is not None:
        os.environ["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        ask()
    if last.startswith("--") and not equals:
        more = [one for one in (*_VALUED, *_FLAGS) if one.startswith(last)]
        if more and shell != "zsh":
            said.write("\n".join(["", *more]))
    if action is not None:
        os.environ["_TYPER_COMPLETE_FISH_ACTION"] = action
    text = said.getvalue()
    if shell == "bash" and "=" in last:
        cut = last[: last.rindex("=") + 1]
        text = "\n".join(line.removeprefix(cut) for line in text.splitlines())
    return text.strip("\n") + "\n" if text.strip() else ""


def _words(shell: str) -> tuple[list[str], str]:
    """Return the words before the current one, without the program's name, and the current one."""
    if shell != "bash":
        line = os.environ.get(_LINE, "")
        words = _split(line)[1:]
        return (words[:-1], words[-1]) if words and not line.endswith(" ") else (words, "")
    words, at = _split(os.environ.get("COMP_WORDS", "")), int(os.environ.get("COMP_CWORD", "0") or 0)
    joined: list[str] = []
    for word in [*words[1:at], words[at] if at < len(words) else ""]:
        if joined and (word == "=" or joined[-1].endswith("=")) and not joined[-1].startswith("="):
            joined[-1] += word
        else:
            joined.append(word)
    return joined[:-1], joined[-1] if joined else ""


def _split(line: str) -> list[str]:
    """Return a line's words; a quote may be open still."""
    for end in ("", "'", '"'):
        with contextlib.suppress(ValueError):
            return shlex.split(line + end)
    return line.split()


def _set_words(shell: str, words: list[str]) -> None:
    if shell == "bash":
        os.environ |= {"COMP_WORDS": shlex.join(["fieldsync", *words]), "COMP_CWORD": str(len(words))}
    else:
        *before, last = words
        os.environ[_LINE] = shlex.join(["fieldsync", *before]) + " " + (shlex.quote(last) if last else "")


def _offered(shell: str, found: list[str], last: str) -> str:
    """Return words as a shell takes them."""
    if shell == "zsh":
        quoted = "\n".join(f'"{one}"' for one in found)
        return f"_arguments '*: :(({quoted}))'" if found else "_files"
    cut = last[: last.rindex("=") + 1] if shell == "bash" and "=" in last else ""
    return "".join(one.removeprefix(cut) + "\n" for one in found)


def _languages(settings: Settings) -> list[str]:
    """Return the languages that the program and the forms speak."""
    from fieldsync.commands.support import completion
    from fieldsync.schema.labels import SHIPPED

    spoken = {lang for kind in completion.schema_of(settings).types.values() for lang in kind.label}
    return sorted({*SHIPPED, *spoken})

"""Arabic on this terminal: isolated by control characters, reordered beforehand, or left alone.

docs/decisions/0011-arabic-on-terminals.md describes how real terminals behave. None of these characters ever gets into a file,
a pipe or a record.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement

FORMS = ("isolates", "marks", "visual", "plain")
CHOICES = ("auto", "logical", "visual", "plain")  # what a person may ask for: `logical` is isolates or marks
# isolates and their end, left-to-right mark
_LEFT, RIGHT, _FIRST, END, _MARK = "\u2066", "\u2067", "\u2068", "\u2069", "\u200e"
_CONTROLS = {ord(sign): None for sign in (_LEFT, RIGHT, _FIRST, END, _MARK)}
_VTE_WITH_ISOLATES = 5_800
_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]"  # compiled where something is shown
# a date, a code, a unit or a phone: the bidi rules would turn round what hyphens and slashes join
_COMMAND = r"(?<![\w/.-])fieldsync(?: (?:(?:[!-;=-~]*<[^<>]+>)+[!-;=-~]*|[!-~]+))+"  # to be typed, placeholders in it
_PLACEHOLDER = re.compile("<([^<>]+)>")
_GLUE = "\ue000"  # in place of a command's blanks while lines are cut
_NUMBERED = re.compile(
    rf"{_COMMAND}"
    r"|(?<!\S)--[a-z][a-z-]*(?:[ =](?:(?:[!-;=-~]*<[^<>]+>)+(?:\.[a-z]+)?|[0-9A-Za-z]+))?"  # an option and its value: what is to be typed
    r"|(?<![^\s(«])(?:~|[A-Za-z]:)?[/\\](?:[0-9A-Za-z_./\\-]*[0-9A-Za-z_])"  # a path
    r"|\+?[0-9A-Za-z]+(?:(?![:.,] )[-/:.,@_+ ]{1,3}[0-9A-Za-z]+)*"  # a colon and a blank end one
)
_COMBINING = re.compile("([\u064b-\u065f\u0670]+)([^\u064b-\u065f\u0670])")
_ARABIC_FIRST = re.compile(
    "^\u2068(?=[\u0590-\u08ff])([^\u2066-\u2069]*)\u2069"
)  # kept apart at the beginning of an Arabic line
_EXPLICIT = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B"}  # classes of signs that turn text
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("«", "»"), ("<", ">"))
_REMEMBERED = "terminals.json"


def form_for(environment: Mapping[str, str], *, tty: bool, asked: str = "") -> str:
    """Return the form for a terminal: as asked for, as its person chose once, or as such terminals are known to want it."""
    asked = asked or environment.get("FIELDSYNC_RTL", "")
    if not tty:
        return "plain"
    asked = "" if asked == "auto" else asked
    if asked in FORMS:
        return asked
    known = _known_terminal(environment)
    if asked == "logical":
        return known if known in {"isolates", "marks"} else "isolates"
    chosen = load_choices().get(terminal_kind(environment), "") if not asked else ""
    return chosen if chosen in FORMS else known


def _known_terminal(environment: Mapping[str, str]) -> str:
    if not (environment.get("TMUX") or environment.get("STY")):
        vte = environment.get("VTE_VERSION", "")
        if vte.isdecimal() and int(vte) >= _VTE_WITH_ISOLATES:
            return "isolates"
        if environment.get("KONSOLE_VERSION") or environment.get("MLTERM") or environment.get("TERM") == "mlterm":
            return "marks"
    return "visual"  # stored order, from left to right: xterm, Windows, the console, and tmux in any of them


def is_guess(environment: Mapping[str, str], *, tty: bool, asked: str = "") -> bool:
    """Return whether this terminal's behaviour is unknown and the user has not been asked."""
    sure = environment.get("XTERM_VERSION") or environment.get("WT_SESSION") or environment.get("TERM") == "linux"
    asked = asked or environment.get("FIELDSYNC_RTL", "")
    return (
        tty
        and not asked
        and not sure
        and _known_terminal(environment) == "visual"
        and terminal_kind(environment) not in load_choices()
    )


# --- what a person chose ----------------------------------------------------------------------------------------------


def terminal_kind(environment: Mapping[str, str]) -> str:
    """Return a name for this kind of terminal, under which the user's choice is stored."""
    names = ("TERM_PROGRAM", "TERM", "VTE_VERSION", "KONSOLE_VERSION", "XTERM_VERSION")
    inside = "tmux" if environment.get("TMUX") else "screen" if environment.get("STY") else ""
    return " ".join(filter(None, (inside, *(environment.get(name, "") for name in names)))) or sys.platform


def _settings_file() -> "Path":
    import platformdirs

    return platformdirs.user_config_path("fieldsync", appauthor=False) / _REMEMBERED


@cache
def load_choices() -> dict[str, str]:
    """Return the forms that this computer's person chose, by the kind of terminal."""
    try:
        return msgspec.json.decode(_settings_file().read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def store_choice(form: str) -> None:
    """Keep what reads right on this terminal."""
    file = _settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode({**load_choices(), terminal_kind(os.environ): form}))
    load_choices.cache_clear()


# --- writing ----------------------------------------------------------------------------------------------------------


@cache
def _load_turner() -> tuple[Callable[[str], str], Callable[..., str], Callable[[str], str]]:
    """Return (joins letters, puts them in the order of the screen, joins them one for one); loaded where Arabic is shown."""
    from arabic_reshaper import ArabicReshaper
    from bidi import get_display

    joins = {"delete_harakat": False, "support_zwj": True}
    return ArabicReshaper(joins).reshape, get_display, ArabicReshaper({**joins, "support_ligatures": False}).reshape


def isolate_value(text: str, form: str) -> str:
    """Return a value isolated from the direction of the line around it."""
    if text.isascii() or form == "plain":
        return text
    return text + _MARK if form == "marks" else f"{_FIRST}{text}{END}"


def without_isolates(text: str) -> str:
    """Return safe text without what kept its parts to themselves: to be put into another line."""
    return text.translate(_CONTROLS)


def screen_line(line: str, form: str, *, rtl: bool) -> str:
    """Return a line, cut already, for display beside others: in the terminal's order, and isolated."""
    if not rtl or form not in {"visual", "isolates"} or not re.search(_RIGHT_TO_LEFT, line):
        shown = write_line(line, form, rtl=rtl)
        return shown if form == "visual" else isolate_value(shown, form)
    kept = _keep_codes(line)
    if form == "visual":
        return _turn_line(join_letters(kept), rtl=True)
    return RIGHT + _ARABIC_FIRST.sub(r"\1", kept) + END


def write_line(text: str, form: str, *, rtl: bool) -> str:
    """Return a whole line as it is to be written; `rtl` where it is an Arabic one. Dates, codes and phones stay as they are."""
    if form in {"plain", "marks"} or not re.search(_RIGHT_TO_LEFT, text):
        return text
    inset = text[: len(text) - len(text.lstrip(" "))]
    kept = _keep_codes(text[len(inset) :])
    if form == "isolates":
        return _mark_rtl(inset, kept) if rtl else inset + kept
    return inset + _turn_line(join_letters(kept), rtl=rtl)


def _keep_codes(text: str) -> str:
    """Return text whose dates, codes, phones and options are kept as they are."""
    return _NUMBERED.sub(_kept_code, text)


def _kept_code(found: re.Match[str]) -> str:
    """Return what is kept in order, without the signs that end the sentence behind it."""
    code = found[0].rstrip(".:;,`)]") if found[0].startswith("fieldsync ") else found[0]
    if not _is_joined(code):
        return found[0]
    apart = _PLACEHOLDER.sub(rf"<{_FIRST}\1{END}>", code)
    return f"{_LEFT}{apart}{END}{found[0][len(code) :]}"


def _mark_rtl(inset: str, line: str) -> str:
    """Mark a line as right-to-left for terminals that take all lines for left-to-right.

    What says so belongs to the cell before it, so that there has to be one, and only one sign fits there.
    """
    line = _ARABIC_FIRST.sub(r"\1", line)
    return f"{inset or ' '}{RIGHT}{' ' if line.startswith((_LEFT, _FIRST)) else ''}{line}{END}"


def _is_joined(text: str) -> bool:
    return (
        text.startswith(("--", "fieldsync ", "/", "~", "\\"))
        or text[1:3] in (":/", ":\\")
        or (not text.isalnum() and any(map(str.isdecimal, text)))
    )


def join_letters(text: str) -> str:
    """Return text with its Arabic letters in the forms that they have beside each other, still in stored order."""
    return str(_load_turner()[0](text))


def _turn_line(text: str, *, rtl: bool | None) -> str:
    base = {True: "R", False: "L", None: None}[rtl]
    shown = without_isolates(str(_load_turner()[1](text, base_dir=base)))
    return _mirror_brackets(_COMBINING.sub(r"\2\1", shown))  # a mark follows its letter on every terminal


def _mirror_brackets(shown: str) -> str:
    """Return turned text whose brackets embrace again: the library turns their order round, not themselves."""
    signs = list(shown)
    for first, last in _BRACKETS:
        opened = 0
        turned: list[int] = []
        for at, sign in enumerate(shown):
            if sign == first and turned:
                before = turned.pop()
                signs[before], signs[at] = first, last
            elif sign == first:
                opened += 1
            elif sign == last and opened:
                opened -= 1
            elif sign == last:
                turned.append(at)
    return "".join(signs)


def line_width(text: str) -> int:
    """Return how many columns a text takes, signs of direction none."""
    from rich.cells import cell_len

    return cell_len(text)


def wrap_lines(text: str, form: str, width: int, *, rtl: bool) -> list[str]:
    """Return a paragraph in lines that fit, all as far in as the first: cut while it is in stored order, then turned, one by one."""
    from rich.cells import cell_len

    def wide(part: str) -> int:
        return cell_len(join_letters(part) if form == "visual" else part)

    inset = text[: len(text) - len(text.lstrip())]
    if form == "isolates" and rtl and has_arabic(text):
        width -= 1 if inset else 2  # the blanks of `_mark_rtl`
    if len(text) * 2 <= width or wide(text) <= width:
        return [write_line(text, form, rtl=rtl)]
    room = width - len(inset)
    glued = re.sub(_COMMAND, lambda one: one[0].replace(" ", _GLUE) if wide(one[0]) <= room else one[0], text)
    found = [""]
    for word in re.findall(r"\s*\S+", glued):
        if found[-1].strip() and wide(found[-1] + word) > width:
            found.append(inset + word.lstrip())
        else:
            found[-1] += word
    return [write_line(line.replace(_GLUE, " "), form, rtl=rtl) for line in found]


class TurnedCell:
    """A table's cell whose text is turned by us: measured joined, cut in stored order, and only then turned."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text = join_letters(text)
        self._style = style

    def __rich_measure__(self, _console: "Console", _options: "ConsoleOptions") -> "Measurement":
        """Return its width."""
        from rich.cells import cell_len
        from rich.measure import Measurement

        width = cell_len(self._text)
        return Measurement(min(width, 4), width)

    def __rich_console__(self, _console: "Console", options: "ConsoleOptions") -> "RenderResult":
        """Draw it in the width that there is."""
        from rich.text import Text

        kept = Text(self._text, style=self._style, no_wrap=True)
        kept.truncate(options.max_width, overflow="ellipsis")
        yield Text(_turn_line(_keep_codes(kept.plain), rtl=None), style=self._style, no_wrap=True, overflow="crop")


# --- while it is typed ------------------------------------------------------------------------------------------------


def has_arabic(text: str) -> bool:
    """Return whether anything in a text is written from the right."""
    return re.search(_RIGHT_TO_LEFT, text) is not None


def begins_arabic(text: str) -> bool:
    """Return whether the first letter of a text is right-to-left."""
    first = next((sign for sign in text if sign.isalpha()), "")
    return has_arabic(first)


def join_letters_one_by_one(letters: str) -> str:
    """Return letters in the forms that they have beside each other, one for one."""
    shaped = str(_load_turner()[2](letters))
    return shaped if len(shaped) == len(letters) else letters


def screen_signs(text: str, *, rtl: bool) -> list[tuple[str, int]]:
    """Return a line's characters in display order from the left, each with its text position, brackets mirrored."""
    from bidi import algorithm

    safe = "".join("\u200b" if unicodedata.bidirectional(sign) in _EXPLICIT else sign for sign in text)
    kept = _NUMBERED.sub(lambda found: f"\u202a{found[0]}\u202c" if _is_joined(found[0]) else found[0], safe)
    line = algorithm.get_empty_storage()
    line["base_level"], line["base_dir"] = int(rtl), "R" if rtl else "L"
    algorithm.get_embedding_levels(kept, line)
    places = iter(range(len(text)))
    for sign in line["chars"]:
        sign["at"] = -1 if sign["ch"] in "\u202a\u202c" else next(places)
    algorithm.explicit_embed_and_overrides(line)
    algorithm.resolve_weak_types(line)
    for step in (algorithm.resolve_neutral_types, algorithm.resolve_implicit_levels, algorithm.reorder_resolved_levels):
        step(line, debug=False)
    algorithm.apply_mirroring(line, debug=False)
    return [(sign["ch"], sign["at"]) for sign in line["chars"]]

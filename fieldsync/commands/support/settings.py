"""The settings of every command: location of the store, language, output."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fieldsync import errors
from fieldsync.schema.labels import LANGUAGE, SHIPPED

if TYPE_CHECKING:
    from fieldsync.schema.model import Schema


_VALUED = {"--home": "home", "--lang": "lang", "--rtl": "rtl", "--passphrase-file": "passphrase_file"}

DIRECTIONS = ("auto", "logical", "visual", "plain")


@dataclass
class Settings:
    """Global options, given before or after a command's name."""

    home: str = ""
    lang: str = ""
    rtl: str = ""
    passphrase_file: str = ""
    json: bool = False
    plain: bool = False
    typed: tuple[
        str, ...
    ] = ()  # of a line that a shell asks about: the words behind the command's name, but for options
    schema: "Schema | None" = None  # the node's, once it was opened: errors name fields by their labels

    @property
    def folder(self) -> Path:
        """The folder of this node's store."""
        return Path(self.home or os.environ.get("FIELDSYNC_HOME") or _data_folder())

    def check(self) -> None:
        """Refuse a language that nobody speaks here, and a direction that nobody writes in; Usage."""
        if self.lang and LANGUAGE.fullmatch(self.lang) is None:
            raise errors.Usage(reason="lang", known=list(SHIPPED))
        if self.rtl and self.rtl not in DIRECTIONS:
            raise errors.Usage(reason="rtl", known=list(DIRECTIONS))

    @property
    def language(self) -> str:
        """The selected language, else the locale's; missing labels or sentences fall back to English."""
        asked = self.lang
        for name in ("FIELDSYNC_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
            asked = asked or os.environ.get(name, "")
        found = LANGUAGE.match(asked)
        return found[0] if found is not None and asked != "C" else "en"

    @property
    def language_of_sentences(self) -> str:
        """The language in which the program speaks."""
        return self.language if self.language in SHIPPED else "en"


def _data_folder() -> Path:
    """Return the system's folder for user data."""
    import platformdirs

    return platformdirs.user_data_path("fieldsync", appauthor=False)


def take_settings(words: list[str], settings: Settings) -> list[str]:
    """Extract the global options from a command line's words; return the other words. Usage."""
    rest: list[str] = []
    ahead = iter(words)
    for word in ahead:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *ahead]
        elif word == "--json":
            settings.json = True
        elif word == "--plain":
            settings.plain, settings.rtl = True, "plain"
        elif name in _VALUED:
            given = value if equals else next(ahead, "")
            if not given:
                raise errors.Usage(reason="no_value", option=name)
            setattr(settings, _VALUED[name], given)
        else:
            rest.append(word)
    return rest


def at_terminal() -> bool:
    """Return whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def draws() -> bool:
    """Return whether that person's terminal can be drawn on; an editor's shell is asked line by line."""
    utf = (sys.stdout.encoding or "").lower().startswith("utf")
    return utf and os.environ.get("TERM") not in {"dumb", "unknown"}

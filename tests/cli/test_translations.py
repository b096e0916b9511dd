"""The translations are whole: every sentence that a person may see is in the catalogue, and the program reads that catalogue."""

import gettext
import io
import re

from rich.cells import cell_len

from docs import generate
from docs import words as tool
from fieldsync.ui.terminal import messages


def test_the_catalogue_is_up_to_date() -> None:
    """Whoever changes a sentence runs `make words` and translates it: all are there, none is empty or to be looked at."""
    file = tool.file_of("ar")
    kept = tool.read(file)
    assert sorted(kept) == tool.sentences()
    assert tool.unfinished(list(kept.values())) == []
    assert tool.po(tool.updated("ar", kept)) == file.read_bytes()


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    """What the program reads is what translators see."""
    file = tool.file_of("ar")
    assert tool.mo("ar", file.read_bytes()) == file.with_suffix(".mo").read_bytes()
    read = gettext.GNUTranslations(io.BytesIO(file.with_suffix(".mo").read_bytes()))
    wrong = [key for key, one in tool.read(file).items() if read.pgettext(*key) != one.string]
    assert wrong == []


def test_a_changed_sentence_is_to_be_looked_at() -> None:
    """The tool keeps the translation of a sentence that changed, marks it, and neither ships it nor calls it finished."""
    (context, text), other = next(iter(tool.read(tool.file_of("ar")).items())), "Something new"
    assert text.string
    made = tool.updated("ar", {(context[0], other): text})
    found = made.get(context[1], context=context[0])
    assert (found.string, found.fuzzy) == (text.string, True)
    assert f"{context[0]}: {context[1]}" in tool.unfinished(made)
    assert str(text.string).encode() not in tool.mo("ar", tool.po(made))


def test_help_keeps_what_is_typed() -> None:
    """A translated help names the same options, types and variables as the English one."""
    typed = re.compile(r"--[a-z-]+|[A-Z_]{3,}|`[^`]+`")
    entries = [(key[1], str(one.string)) for key, one in tool.read(tool.file_of("ar")).items() if key[0] == "help"]
    words = tool.metavars() - {"URL"}  # what `server run` writes is no placeholder of ours
    assert len(entries) > 200
    for english, arabic in entries:
        said = {messages.translate_metavar(one, "ar") if one in words else one for one in typed.findall(english)}
        placeholders = {one for one in said if one.startswith("<")}
        assert said - placeholders == set(typed.findall(arabic)), english
        assert [one for one in placeholders if one not in arabic] == [], english


def test_placeholders_are_words_of_the_language() -> None:
    """In Arabic no placeholder of a command is Latin, in its help or in a sentence that says what to type; letters stay."""
    words = tool.metavars()
    assert len(words) > 50
    assert [
        word for word in words if not re.fullmatch("<[\u0621-\u0652-]+>", messages.translate_metavar(word, "ar"))
    ] == []
    latin = re.compile(rf"(?<![A-Za-z_*])({'|'.join(words - {'URL'})}|COLUMN|CODE)(?![A-Za-z_])")
    texts = [(key, str(one.string)) for key, one in tool.read(tool.file_of("ar")).items() if key[0] != "metavar"]
    assert [key for key, text in texts if latin.search(text.replace("HTTPS", ""))] == []


def test_help_fits_a_terminal_in_arabic() -> None:
    """No line is wider than 80 columns, no word is cut, and no range is left in signs."""
    pages = {path: generate.help_of(path, "ar") for path in [(), *generate.paths()]}
    wide = {path: line for path, text in pages.items() for line in text.splitlines() if cell_len(line) > 80}
    assert wide == {}
    assert [path for path, text in pages.items() if re.search(r"-$|<str>|<int|<=x|x>=", text, re.MULTILINE)] == []

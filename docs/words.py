"""Keeps the translations: `make words` takes every English sentence of the program into fieldsync/locale/*/…/fieldsync.po.

Four kinds of entries: what is said (its context is the key in ui/words_en), the help of commands and options (context
`help`), what their examples quote (`example`), and the words of their placeholders (`metavar`). They are sorted by context and sentence, without
places and dates, so that two people's work merges. What has lost its translation, or got a new English sentence, is
named; then the .mo files are made, which the program reads.
"""

import difflib
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import fieldsync
from fieldsync.ui.terminal import messages

ROOT = Path(__file__).parents[1]
LOCALE = Path(fieldsync.__file__).parent / "locale"
Key = tuple[str, str]  # context, English


class _Quiet(Catalog):
    """A catalogue whose head tells no dates and no versions: the same words make the same bytes."""

    mime_headers = property(  # type: ignore[assignment]  # the library's own is a property, too
        lambda self: [
            ("Project-Id-Version", "fieldsync"),
            ("Language", str(self.locale)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]
    )


def sentences() -> list[Key]:
    """Return every sentence that a person may see, as (context, English), in the order in which they are kept."""
    said = {(key, text) for key, text in messages.load_catalogue("en").items()}
    examples = {(messages.EXAMPLE_WORDS, words) for text in _help_texts() for words in messages.example_words(text)}
    helped = {(messages.HELP, text) for given in _help_texts() for text in messages.split_paragraphs(given)}
    return sorted(said | helped | examples | {(messages.METAVAR, word) for word in metavars()})


def _help_texts() -> Iterator[str]:
    """Yield the help of all commands and of their options."""
    for made in _commands():
        yield from (made.help or "", made.epilog or "")
        yield from (getattr(param, "help", None) or "" for param in made.params)


def _commands() -> Iterator[Any]:
    """Yield all commands and groups, in English."""
    from fieldsync.cli import COMMANDS
    from fieldsync.commands.support.settings import Settings
    from fieldsync.commands.support.lazy_tree import GroupSpec, command

    def walk(name: str, node: Any) -> Iterator[Any]:
        yield command(name, node, Settings(lang="en"))
        if isinstance(node, GroupSpec):
            for below, one in node.commands.items():
                yield from walk(below, one)

    return walk("fieldsync", COMMANDS)


def metavars() -> set[str]:
    """Return the words of all placeholders, such as FILE; letters that stand for themselves are none."""
    found = {"OPTIONS", "COMMAND", "ARGS"}  # the library's own
    for made in _commands():
        made.translate()
        found.update(word for param in made.params for word in messages.METAVAR_WORD.findall(param.metavar or ""))
    return found


def file_of(lang: str) -> Path:
    """Return a language's .po."""
    return LOCALE / lang / "LC_MESSAGES" / "fieldsync.po"


def read(file: Path) -> dict[Key, Message]:
    """Return what a .po holds."""
    if not file.exists():
        return {}
    with file.open("rb") as source:
        return {(one.context or "", str(one.id)): one for one in read_po(source) if one.id}


def updated(lang: str, kept: dict[Key, Message]) -> Catalog:
    """Return a language's catalogue with what is kept of it; a changed sentence keeps its translation, to be looked at."""
    head = f"# fieldsync, {lang}: CONTRIBUTING.md tells how words are added"
    made = _Quiet(locale=lang, charset="utf-8", header_comment=head, fuzzy=False)
    wanted = sentences()
    left = {key: one for key, one in kept.items() if key not in set(wanted) and one.string}
    for context, text in wanted:
        old = kept.get((context, text))
        like = old or _like(context, text, left)
        flags = {"fuzzy"} if like is not None and (like.fuzzy or old is None) else ()
        made.add(text, like.string if like is not None else "", context=context, flags=flags)
    return made


def _like(context: str, text: str, left: dict[Key, Message]) -> Message | None:
    """Return the translation of what this sentence was before."""
    before = [english for known, english in left if known == context]
    near = difflib.get_close_matches(text, before, n=1, cutoff=0.6 if context == messages.HELP else 0.0)
    return left[context, near[0]] if near else None


def po(catalogue: Catalog) -> bytes:
    """Return a catalogue as a .po."""
    out = io.BytesIO()
    write_po(out, catalogue, no_location=True, width=100)
    return out.getvalue()


def mo(lang: str, source: bytes) -> bytes:
    """Return what a .po says as a .mo."""
    made = _Quiet(locale=lang, charset="utf-8", fuzzy=False)
    for one in read_po(io.BytesIO(source)):
        if one.id and one.string and not one.fuzzy:
            made.add(one.id, one.string, context=one.context)
    out = io.BytesIO()
    write_mo(out, made)
    return out.getvalue()


def unfinished(catalogue: Iterable[Message]) -> list[str]:
    """Return the sentences that wait for a translator."""
    return [f"{one.context}: {one.id}" for one in catalogue if one.id and (one.fuzzy or not one.string)]


def main() -> int:
    """Bring every language's files up to date (a new language: name it); 1 while something waits for a translator."""
    waiting = 0
    for lang in sorted({*(one.name for one in LOCALE.iterdir() if one.is_dir()), *sys.argv[1:]}):
        file = file_of(lang)
        file.parent.mkdir(parents=True, exist_ok=True)
        made = updated(lang, read(file))
        file.write_bytes(po(made))
        file.with_suffix(".mo").write_bytes(mo(lang, file.read_bytes()))
        lacking = unfinished(made)
        waiting += len(lacking)
        for one in lacking:
            sys.stdout.write(f"{file.relative_to(ROOT)}: {one}\n")
    return 1 if waiting else 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes the documentation that code knows better than people: docs/cli.md in both languages, docs/man, docs/json.md with its schema, the
Arabic glossary, the index of docs/decisions, and the worked examples on docs/formats' pages.

An example stands between `<!-- example: NAME -->` and `<!-- end -->`; NAME is one of docs/examples.py or docs/frame_examples.py. A table
stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is one of docs/tables.py.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from docs import decision_index, frame_examples, glossary_page, json_page, man_pages, powershell  # noqa: F401 - frame_examples adds its examples
from docs.examples import EXAMPLES
from docs.tables import TABLES

HERE = Path(__file__).parent
_MARKED = re.compile(r"(<!-- (example|table): ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_INTRODUCTION = {
    "en": """\
# Commands

Made by `make docs` from the commands' own help; a test compares the two. [بالعربية](cli.ar.md).

Every command takes these, before or after its name:

| option | or the variable | meaning |
|---|---|---|
| `--home DIR` | `FIELDSYNC_HOME` | the folder of this node's store; without it the platform's folder for data |
| `--passphrase-file FILE` | `FIELDSYNC_PASSPHRASE` | the passphrase; without either a prompt asks. `FIELDSYNC_KEY_FILE` names a key file (32 bytes or more) |
| `--lang ar\\|en` | `FIELDSYNC_LANG` | the language; without it that of the locale |
| `--rtl auto\\|logical\\|visual\\|plain` | `FIELDSYNC_RTL` | how Arabic is written on this terminal; see `fieldsync doctor rtl` |
| `--plain` | | for screen readers: Arabic in stored order without signs for its direction, forms and review as questions line by line |
| `--json` | | one JSON document on standard output, also for an error: `{"error": {"code", "message", "hint", "facts"}}` |

A record is named by its id, its code, or any unique beginning of either (four characters at least).

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an internal fault or a fault of the machine |
| 2 | incomplete or invalid command |
| 3 | bad input |
| 4 | locked, or a wrong passphrase |
| 5 | not found |
| 6 | no contact with the server |
| 7 | refused: role, unit, revoked, invite |
| 8 | damaged or tampered with |
| 9 | a person must decide first |
| 10 | the computer: another program holds the store, or it cannot be written to |
| 11 | versions: this fieldsync, or that of the other computer, must be updated first |
""",
    "ar": """\
# الأوامر

تُنشئ هذه الصفحةَ `make docs` من شرح الأوامر نفسها، ويقارن اختبارٌ بينهما. [In English](cli.md).

يقبل كل أمر ما يلي، قبل اسمه أو بعده:

| الخيار | أو المتغيّر | المعنى |
|---|---|---|
| `--home <مجلد>` | `FIELDSYNC_HOME` | مجلد مخزن هذه العقدة؛ وبدونه مجلد البيانات المعتاد في النظام |
| `--passphrase-file <ملف>` | `FIELDSYNC_PASSPHRASE` | ما يفتح المخزن؛ وبدونهما يُسأل عنه. ويسمّي `FIELDSYNC_KEY_FILE` ملف مفتاح (32 بايتاً أو أكثر) |
| `--lang ar\\|en` | `FIELDSYNC_LANG` | اللغة؛ وبدونه لغة النظام |
| `--rtl auto\\|logical\\|visual\\|plain` | `FIELDSYNC_RTL` | كيف تُكتب العربية في نافذة الأوامر هذه؛ انظر `fieldsync doctor rtl` |
| `--plain` | | لقارئات الشاشة: تُكتب العربية بترتيب تخزينها دون علامات اتجاه، وتُعرض النماذج والمراجعة سطراً سطراً |
| `--json` | | مستند JSON واحد على الخرج القياسي، وكذلك عند الخطأ: `{"error": {"code", "message", "hint", "facts"}}` |

يُسمّى السجلّ بمعرّفه أو برمزه أو بأي أول منهما لا يدل على غيره (أربعة أحرف على الأقل).

| رمز الخروج | المعنى |
|---|---|
| 0 | تمّ |
| 1 | خلل عندنا أو في الجهاز |
| 2 | الأمر ناقص أو فيه خطأ |
| 3 | قيمة غير صالحة |
| 4 | مقفل، أو عبارة المرور خاطئة |
| 5 | غير موجود |
| 6 | لا اتصال بالخادم |
| 7 | مرفوض: الدور أو الوحدة أو الإلغاء أو الدعوة |
| 8 | تالف أو متلاعَب به |
| 9 | يجب أن يبتّ شخص أولاً |
| 10 | الحاسوب: برنامج آخر يستخدم المخزن، أو تتعذّر الكتابة فيه |
| 11 | الإصدارات: يجب تحديث البرنامج هنا أو على الحاسوب الآخر أولاً |
""",
}


def paths() -> list[tuple[str, ...]]:
    """Return every command and group of the tree in cli.py, by the words that call it."""
    from fieldsync.cli import COMMANDS
    from fieldsync.commands.support.lazy_tree import GroupSpec

    def walk(group: GroupSpec, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, node in group.commands.items():
            yield (*above, name)
            if isinstance(node, GroupSpec):
                yield from walk(node, (*above, name))

    return list(walk(COMMANDS, ()))


def help_of(words: tuple[str, ...], lang: str = "en") -> str:
    """Return what `fieldsync WORDS --help` prints, whatever terminal and language this runs in."""
    from fieldsync.cli import COMMANDS
    from fieldsync.commands.support.settings import Settings
    from fieldsync.commands.support.lazy_tree import command_runner

    said = io.StringIO()
    before = dict(os.environ)
    os.environ.update({"COLUMNS": "100", "NO_COLOR": "1", "FIELDSYNC_LANG": lang, "TERM": "dumb"})
    try:
        with contextlib.redirect_stdout(said):
            command_runner(COMMANDS)([*words, "--help"], Settings())
    finally:
        os.environ.clear()
        os.environ.update(before)
    return re.sub(r"[ \t]+$", "", said.getvalue(), flags=re.MULTILINE).strip()


def cli_page(lang: str) -> str:
    """Return docs/cli.md, or that of another language."""
    sections = [f"## fieldsync {' '.join(words)}\n\n```text\n{help_of(words, lang)}\n```\n" for words in paths()]
    return "\n".join([_INTRODUCTION[lang], *sections])


def exit_codes() -> dict[str, str]:
    """Return the exit codes and what they mean."""
    return dict(re.findall(r"^\| (\d+) \| (.*) \|$", _INTRODUCTION["en"], re.MULTILINE))


def with_examples(page: str) -> str:
    """Return a page with its examples and tables made anew; KeyError for a name that docs/examples.py or docs/tables.py does not have."""

    def made(found: re.Match[str]) -> str:
        text = f"```text\n{EXAMPLES[found[3]]()}\n```" if found[2] == "example" else f"\n{TABLES[found[3]]()}\n"
        return f"{found[1]}{text}\n{found[4]}"

    return _MARKED.sub(made, page)


def with_powershell(page: str) -> str:
    """Return docs/windows.md with other pages' commands translated anew."""
    return re.sub(
        r"(<!-- powershell: (\S+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{powershell.commands_of(found[2])}\n\n{found[3]}",
        page,
        flags=re.DOTALL,
    )


def pages() -> dict[Path, str]:
    """Return every page that is made or has parts that are, as it should be."""
    made = {page: with_examples(page.read_text("utf-8")) for page in sorted((HERE / "formats").glob("*.md"))}
    return {
        HERE / "cli.md": cli_page("en"),
        HERE / "cli.ar.md": cli_page("ar"),
        **{HERE / "man" / name: text for name, text in man_pages.man_pages(exit_codes()).items()},
        HERE / "glossary.ar.md": glossary_page.page(),
        HERE / "json.md": json_page.page(),
        HERE / "json-schema.json": json_page.schema_text(),
        decision_index.FOLDER / "README.md": decision_index.page(),
        HERE / "windows.md": with_powershell((HERE / "windows.md").read_text("utf-8")),
        **made,
    }


def main() -> None:
    """Write what differs."""
    for page, text in pages().items():
        page.parent.mkdir(exist_ok=True)
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
            sys.stdout.write(f"{page.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main()

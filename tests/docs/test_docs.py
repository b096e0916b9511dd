"""The documentation matches the code: generated pages are up to date, commands are documented, links and names resolve."""

import re
import shlex
from pathlib import Path

import pytest

from docs import generate
from docs.examples import open_page
from fieldsync.store import new_store

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("benchmarks/**/*.md")]
)
PLACES = [str(page.relative_to(ROOT)) for page in PAGES]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    return generate.pages()


def test_every_generated_page_is_up_to_date(made):
    """A change of a command or a format needs `make docs`."""
    stale = [page.name for page, text in made.items() if page.read_text("utf-8") != text]
    assert stale == []


def test_every_example_is_on_a_page(made):
    """Each worked example is used, and every page of bytes has one."""
    shown = {name for text in made.values() for name in re.findall(r"<!-- example: ([a-z-]+) -->", text)}
    assert shown == set(generate.EXAMPLES)
    tabled = {name for text in made.values() for name in re.findall(r"<!-- table: ([a-z-]+) -->", text)}
    assert tabled == set(generate.TABLES)
    marked = re.compile("<!-- (?:example|table): ")
    bare = {page.stem for page, text in made.items() if not marked.search(text) and page.suffix != ".1"}
    assert bare == {"cli", "cli.ar", "client", "glossary.ar", "json", "json-schema", "schema", "README", "windows"}


def test_every_command_is_documented_with_an_example(made):
    """Each command and group of the tree has its section; each command shows its usage."""
    text = made[generate.HERE / "cli.md"]
    sections = dict(re.findall(r"^## fieldsync ([^\n]+)\n\n```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    assert [tuple(name.split(" ")) for name in sections] == generate.paths()
    without = [
        name for name, shown in sections.items() if "Example: fieldsync" not in shown and "Commands:" not in shown
    ]
    assert without == []


def test_both_languages_document_the_same_commands(made):
    """The Arabic page has the same commands and options as the English one, and no English sentence."""
    english, arabic = made[generate.HERE / "cli.md"], made[generate.HERE / "cli.ar.md"]
    assert re.findall(r"^## .*", english, re.MULTILINE) == re.findall(r"^## .*", arabic, re.MULTILINE)
    options = re.compile(r"^(?:Options|الخيارات):\n((?:  .*\n)+)", re.MULTILINE)
    named = [re.findall(r"^  (--[a-z-]+)", "".join(options.findall(page)), re.MULTILINE) for page in (english, arabic)]
    assert len(named[0]) > 200
    assert named[0] == named[1]
    typed = re.compile(r"^## .*|`[^`]*`|^ {2,}fieldsync .*(?:\n {4}.*)*|\.\w+", re.MULTILINE)
    assert re.findall(r"(?:\b[a-z]{2,} ){3,}", typed.sub("", arabic)) == []


@pytest.mark.parametrize("place", PLACES)
def test_every_link_resolves(place):
    """A relative link names an existing file, and a heading on it."""
    page = ROOT / place
    broken = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (heading and heading not in _headings(there)):
            broken.append(target)
    assert broken == []


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_commands_on_the_pages_exist():
    """Commands in the README and the pages exist, with these options."""
    known = set(generate.paths())
    typed = [line for page in PAGES if page.name not in {"cli.md", "cli.ar.md"} for line in _commands(page)]
    assert len(typed) > 15
    for line in typed:
        words = [word for word in shlex.split(line, comments=True) if word != "&"][1:]
        words = words[2:] if words[0] in {"--home", "--passphrase-file"} else words
        found = (tuple(words[:n]) for n in (3, 2, 1) if tuple(words[:n]) in known)
        path: tuple[str, ...] = () if words[0].startswith("--") else next(found)
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        shown = generate.help_of(path)
        assert [option for option in options - {"--json", "--lang"} if f"{option} " not in shown] == [], line


def _commands(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.startswith("fieldsync ")]


@pytest.mark.parametrize("place", PLACES)
def test_fences_name_a_language_only(place):
    """With words after it, the site shows a block as running text."""
    assert re.findall(r"^```\w+ .*$", (ROOT / place).read_text("utf-8"), re.MULTILINE) == []


@pytest.mark.parametrize("place", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_files_named_on_the_pages_exist(place):
    """Files and folders of the program and of its tests."""
    named = re.findall(r"`([a-z0-9][a-z_0-9]*/[a-z_0-9/*]*(?:\.\w+)?)`", (ROOT / place).read_text("utf-8"))
    assert len(named) > 8
    assert [one for one in named if not any(any(top.glob(one)) for top in (ROOT, ROOT / "fieldsync"))] == []


def test_tests_named_in_the_threat_model_exist():
    """A case that `stands` has a test of that name; cases are numbered without a gap, and none was removed."""
    page = (ROOT / "docs/threat-model.md").read_text("utf-8")
    cases = re.findall(r"^\| (\d+) \| .*? \| (stands|in part|not yet) \| (.*) \|$", page, re.MULTILINE)
    assert len(cases) >= 62
    assert [int(number) for number, _, _ in cases] == list(range(1, len(cases) + 1))
    for number, verdict, proof in cases:
        claimed = re.findall(r"`((?:[\w-]+/)+)(test_\w+)\.([Tt]est\w+)`", proof)
        assert claimed or verdict != "stands", f"case {number} names no test"
        for folder, file, name in claimed:
            source = (ROOT / "tests" / folder / f"{file}.py").read_text("utf-8")
            assert re.search(rf"(def |class |^){name}\b", source, re.MULTILINE), f"case {number}: {name}"


def test_pages_named_in_the_code_exist():
    """Docstrings refer to existing pages of docs/."""
    sources = [*ROOT.glob("fieldsync/**/*.py"), ROOT / "cli.py"]
    named = {name.rstrip(".") for source in sources for name in re.findall(r"docs/[\w/.-]+", source.read_text("utf-8"))}
    missing = [name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(f"{name}-*.md"))]
    assert missing == []


def test_the_store_s_page_explains_decryption(tmp_path):
    """With docs/formats/store.md and the key, the first page of a store is SQLite's; a flipped bit is detected."""
    key = bytes(range(32))
    store = new_store(tmp_path, key)
    store.run_maintenance()
    store.close()
    page = (tmp_path / "store.db").read_bytes()[:2048]
    plain = open_page(page, 1, key, page[:16])
    assert int.from_bytes(plain[:2], "big") == 2048
    assert plain[4] == 80
    assert b"CREATE TABLE" in b"".join(
        open_page(one, n, key, page[:16]) for n, one in enumerate(_pages(tmp_path / "store.db"), 1)
    )
    for at in (20, 2002, 2047):
        flipped = page[:at] + bytes([page[at] ^ 1]) + page[at + 1 :]
        with pytest.raises(ValueError, match="changed"):
            open_page(flipped, 1, key, page[:16])


def _pages(file: Path) -> list[bytes]:
    data = file.read_bytes()
    return [data[i : i + 2048] for i in range(0, len(data), 2048)]

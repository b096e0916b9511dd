"""The site that `make docs` builds: built strictly, read without a network, Arabic pages from the right, a search in both languages."""

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs import site_hooks
from tests.cast import ROOT

_ASSETS = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src", "use": "href"}
_CSS_ADDRESS = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])([^"')]+)""")
ARABIC = {"start.ar.html", "tour.ar.html", "operations.ar.html", "cli.ar.html", "glossary.ar.html"}


class Page(HTMLParser):
    """A page: the addresses that its assets and styles are read from, the language and direction that it says it has, its text."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.assets: list[str] = []
        self.language = self.direction = ""
        self.classes: set[str] = set()
        html = file.read_text("utf-8")
        self.assets += _CSS_ADDRESS.findall(html)
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag reads."""
        named = {name: value or "" for name, value in attrs}
        self.classes |= set(named.get("class", "").split())
        if tag == "html":
            self.language = named["lang"]
        if tag == "body":
            self.direction = named["dir"]
        if tag in _ASSETS and named.get("rel") not in {"prev", "next", "alternate"}:
            self.assets += [named[_ASSETS[tag]]] if _ASSETS[tag] in named else []


def built(root: Path, to: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a checkout into a folder; with --quiet, mkdocs would not count its warnings."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(to)],
        cwd=root, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(root)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = built(ROOT, folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Read all pages, by their path on the site."""
    return {str(file.relative_to(site)): Page(file) for file in site.rglob("*.html")}


def test_every_page_of_the_documentation_is_on_it(pages: dict[str, Page]) -> None:
    """README and docs/ with formats and decisions."""
    wanted = {str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in (ROOT / "docs").rglob("*.md")}
    assert {one.replace("README", "index") for one in wanted} - set(pages) == set()
    assert {"index.html", "formats/index.html", "CHANGELOG.html", "schemas/index.html"} - set(pages) == set()


def test_nothing_is_read_from_another_host(site: Path, pages: dict[str, Page]) -> None:
    """Scripts, styles, fonts and pictures are files of the site; no page has a diagram, whose script the theme would fetch."""
    assert sum(len(page.assets) for page in pages.values()) > 500
    foreign = {name: [one for one in page.assets if re.match(r"(?:\w+:)?//", one)] for name, page in pages.items()}
    assert {name: found for name, found in foreign.items() if found} == {}
    missing = {
        (name, one)
        for name, page in pages.items()
        for one in page.assets
        if not re.match("data:|#|about:", one)
        and not (site / name).parent.joinpath(one.partition("?")[0]).resolve().exists()
        and name != "404.html"
    }
    assert missing == set()
    styles = [address for file in site.rglob("*.css") for address in _CSS_ADDRESS.findall(file.read_text("utf-8"))]
    assert [one for one in styles if re.match(r"(?:\w+:)?//", one)] == []
    assert [name for name, page in pages.items() if "mermaid" in page.classes] == []


def test_arabic_pages_are_written_from_the_right(pages: dict[str, Page]) -> None:
    """These and no others; their words of the theme are Arabic."""
    assert {name for name, page in pages.items() if page.direction == "rtl"} == ARABIC
    assert {name for name, page in pages.items() if page.language == "ar"} == ARABIC
    assert {page.direction for page in pages.values()} == {"rtl", "ltr"}


def test_help_on_the_arabic_page_has_its_direction_line_by_line(site: Path) -> None:
    """Commands from the left, their descriptions and sentences from the right, an option in a sentence as it is typed."""
    html = (site / "cli.ar.html").read_text("utf-8")
    assert '<span class="line" dir="rtl">الاستخدام:\n</span>' in html
    assert '<span class="line" dir="ltr">  fieldsync status [<bdi dir="ltr">&lt;خيارات&gt;</bdi>]\n</span>' in html
    assert re.search(
        r'dir="ltr">  <bdi dir="ltr">-h</bdi>, <bdi dir="ltr">--help</bdi> +<bdi dir="rtl">عرض هذه المساعدة والخروج.</bdi>',
        html,
    )
    assert '<bdi dir="ltr">--lang ar|en</bdi>' in html
    assert '<span class="line"' not in (site / "cli.html").read_text("utf-8")


def test_output_on_arabic_pages_has_its_direction(site: Path) -> None:
    """Sentences and rows from the right, the Latin cells and paths in them isolated; a line without Arabic from the left."""
    html = (site / "operations.ar.html").read_text("utf-8")
    assert '<span class="line" dir="rtl"><bdi dir="ltr">B</bdi>       <bdi dir="ltr">Amal</bdi>   باحث اجتماعي  LAT/JBL' in html
    assert '<span class="line" dir="rtl">كل يوم الساعة 02:00 في <bdi dir="ltr">/srv/backups</bdi>، وفيه الآن لا نسخ.' in html
    assert '<span class="line" dir="ltr">{"status":"ok",…}' in html.replace("&quot;", '"')
    assert '<span class="line"' not in (site / "operations.html").read_text("utf-8")


def test_search_knows_both_languages(site: Path) -> None:
    """The index has Arabic words and is also a script, for pages that are opened from a disk; the theme's Arabic rules are there."""
    index = json.loads((site / "search/search_index.json").read_text("utf-8"))
    assert index["config"]["lang"] == ["en", "ar"]
    found = {
        word: {one["location"].partition("#")[0] for one in index["docs"] if word in f"{one['title']} {one['text']}"}
        for word in ("استمارة", "جولة", "النسخ الاحتياطي", "quarantine")
    }
    assert {"cli.ar.html", "glossary.ar.html"} <= found["استمارة"]
    assert {"start.ar.html", "tour.ar.html"} <= found["جولة"]
    assert "operations.ar.html" in found["النسخ الاحتياطي"]
    assert "architecture.html" in found["quarantine"]
    assert (site / "search/search_index.js").read_text("utf-8").startswith("var __index = ")
    assert list(site.glob("assets/javascripts/lunr/min/lunr.ar.min.js"))
    assert '<script src="assets/iframe-worker.js"' in (site / "cli.ar.html").read_text("utf-8")


def test_pages_look_as_on_git_hosts(site: Path) -> None:
    """A | in a table's code has no sign before it, blocks are blocks, tables have no hole, lists go on."""
    assert "<code>--lang ar|en</code>" in (site / "cli.html").read_text("utf-8")
    assert '<ol start="2">' in (site / "operations.html").read_text("utf-8")
    left = {}
    for file in site.rglob("*.html"):
        text = re.sub(r"<pre.*?</pre>", "", file.read_text("utf-8"), flags=re.DOTALL)
        left[file.name] = re.findall(r"```\w*|<p>\|.*|(?<=[.:])\n(?:-|\d\.) .*", text)
    assert {name: found for name, found in left.items() if found} == {}


def test_broken_links_and_anchors_stop_the_build(tmp_path: Path) -> None:
    """So does a page that no entry of the navigation names; each is reported, in docs/ and outside."""
    for name in ("docs", "mkdocs.yml", *site_hooks.places().values()):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "man"))
        else:
            shutil.copy2(source, target)
    broken = {
        "docs/forms.md": "[a](gone-1.md) [b](formats/schema.md#gone-2) [c](#gone-3)",
        "README.md": "[d](docs/gone-4.md)",
        "CONTRIBUTING.md": "[e](docs/architecture.md#gone-5)",
        "docs/gone-6.md": "# A page that no entry names",
    }
    for page, line in broken.items():
        with (tmp_path / page).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert sorted(set(re.findall(r"gone-\d", done.stdout + done.stderr))) == [f"gone-{n}" for n in range(1, 7)]
    assert "Aborted with 6 warnings" in done.stdout + done.stderr

"""Hooks of mkdocs.yml: pages and files from outside docs/ that pages link to, links between them, and Arabic pages from the right.

A page keeps the links that it has in the repository. On the site, docs/X is at X, README.md is the first page, and whatever else of the
repository a page links to is at its own path; a folder without a README.md gets a page that lists its files.
"""

import posixpath
import re
from collections import ChainMap
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs import arabic_help

ROOT = Path(__file__).parents[1]
_ASSETS = "assets/"
_LINK = re.compile(r"(?P<fence>^```.*?^```$)|(?<=\]\()(?P<path>[^)\s:#]+)(?=[)#])", re.DOTALL | re.MULTILINE)
_CODE_IN_TABLE = re.compile(r"^\|.*`[^`]*\\\|.*\|$", re.MULTILINE)


def uri(place: str) -> str:
    """Return where a file or folder of the repository is on the site, from its path there."""
    if (ROOT / place).is_dir():
        place = f"{place}/README.md" if (ROOT / place / "README.md").exists() else f"{place}/index.md"
    return "index.md" if place == "README.md" else place.removeprefix("docs/")


def target(place: str, link: str) -> str:
    """Return the path in the repository that a relative link of a page leads to, from the page's path there."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))


def places() -> dict[str, str]:
    """Return what the site holds: the path in the repository of the first page, those in docs/ and all that they link to, by uri."""
    waiting = ["README.md", *(page.relative_to(ROOT).as_posix() for page in sorted(ROOT.glob("docs/**/*.md")))]
    held: dict[str, str] = {}
    while waiting:
        place = waiting.pop()
        if uri(place) in held or not (ROOT / place).exists():
            continue
        held[uri(place)] = place
        page = ROOT / place / "README.md" if (ROOT / place).is_dir() else ROOT / place
        if page.suffix == ".md" and page.exists():
            at = page.relative_to(ROOT).as_posix()
            waiting += [target(at, found["path"]) for found in _LINK.finditer(page.read_text("utf-8")) if found["path"]]
    return held


def listing(folder: str) -> str:
    """Return a page with links to a folder's files."""
    files = sorted(file for file in (ROOT / folder).iterdir() if file.is_file() and file.suffix != ".py")
    title = f"# {folder.removeprefix('docs/').capitalize()}\n\n"
    return title + "".join(f"- [{_title(file)}]({file.name})\n" for file in files)


def _title(file: Path) -> str:
    return file.read_text("utf-8").partition("\n")[0].removeprefix("# ") if file.suffix == ".md" else file.name


def on_config(config: MkDocsConfig) -> None:
    """Put all matching pages in place of a navigation entry with a *, the index first; make anchors as Git hosts do."""
    for section in config.nav or []:
        for name, entry in section.items():
            if isinstance(entry, str) and "*" in entry:
                folder = ROOT / "docs" / posixpath.dirname(entry)
                found = sorted(page.relative_to(ROOT / "docs").as_posix() for page in folder.glob("*.md") if page.stem != "README")
                section[name] = [uri(folder.relative_to(ROOT).as_posix()), *found]
    config.mdx_configs["toc"]["slugify"] = lambda title, _: re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Leave out what no page links to, and add what is outside docs/."""
    held = places()
    listed = [place for place in held.values() if (ROOT / place).is_dir() and uri(place).endswith("index.md")]
    held |= {uri(f"{place}/{file.name}"): f"{place}/{file.name}" for place in listed for file in (ROOT / place).iterdir() if file.is_file()}
    for file in list(files):
        if file.src_uri not in held and not file.src_uri.startswith(_ASSETS):
            files.remove(file)
    for at, place in held.items():
        if place in listed:
            files.append(File.generated(config, at, content=listing(place)))
        elif files.get_file_from_path(at) is None:
            files.append(File.generated(config, at, abs_src_path=str(ROOT / place)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page with its links as they are on the site; a | in a table's code needs no sign before it here."""
    if page.file.abs_src_path is None:
        return markdown
    here = posixpath.dirname(page.file.src_uri)
    place = Path(page.file.abs_src_path).relative_to(ROOT).as_posix()

    def relinked(found: re.Match[str]) -> str:
        if found["path"] is None:
            return found[0]
        return posixpath.relpath(uri(target(place, found["path"])), here or ".")

    relative = _LINK.sub(relinked, markdown)
    return _CODE_IN_TABLE.sub(lambda row: re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), row[0]), relative)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give each line of the help on Arabic pages its direction."""
    return arabic_help.turned(html) if _is_arabic(page) else html


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, nav: Any) -> dict[str, Any]:
    """Show an Arabic page from the right, with the theme's Arabic words."""
    if _is_arabic(page):
        context["config"] = ChainMap({"theme": ChainMap({"language": "ar"}, config.theme)}, config)  # type: ignore[arg-type]
    return context


def _is_arabic(page: Page) -> bool:
    return page.file.src_uri.endswith(".ar.md")

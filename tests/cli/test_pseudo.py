"""A language that nobody speaks: every sentence in brackets. What then stands outside of them, nobody can translate."""

import re

import pytest

from docs import generate
from fieldsync.commands import Settings, tree
from fieldsync.ui import words
from tests.cli.conftest import World

FIRST, LAST = "⟦", "⟧"
_ENGLISH = words.catalogue("en")
# names that are the same in every language: of people, places and programs, and what is typed
_NAMES = {
    "amal", "basim", "samar", "hq", "admin", "office", "lat", "jbl", "qrd", "fieldsync", "json", "csv", "xlsx", "utf",
    "linux", "python", "glibc", "help",
}  # fmt: skip
_TYPED = re.compile(r"\([a-z_/]+\)|https?:\S+|[\w.-]*/\S*|\S*[\d_=]\S*|--[a-z-]+|fieldsync( [a-z-]+)*( [A-Z]+)*")


class _Pseudo:
    def pgettext(self, _context: str, text: str) -> str:
        return f"{FIRST}{text}{LAST}"


@pytest.fixture(autouse=True)
def pseudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arabic is the language that nobody speaks."""
    marked = {key: f"{FIRST}{text}{LAST}" for key, text in _ENGLISH.items()}
    monkeypatch.setattr(words, "catalogue", lambda lang: marked if lang == "ar" else _ENGLISH)
    monkeypatch.setattr(words, "_translations", lambda _lang: _Pseudo())


def outside(text: str) -> str:
    """Return what stands outside of all brackets."""
    depth, found = 0, []
    for sign in text:
        depth += (sign == FIRST) - (sign == LAST)
        if depth == 0 and sign != LAST:
            found.append(sign)
    return "".join(found)


def english(world: World, *command: str, who: str = "amal") -> list[str]:
    """Return the words outside of brackets that are no names."""
    said = world.here(who, *command, "--lang", "ar")
    text = _TYPED.sub(" ", outside(said.out + said.err))
    return [word for word in re.findall(r"[A-Za-z]{3,}", text) if word.lower() not in _NAMES]


def test_all_that_commands_say_can_be_translated(world: World) -> None:
    """Cards, tables, errors and hints, on laptops and on the server."""
    world.start()
    code = world.json("amal", "add", "household", "--set", "family_name=علي", "--set", "location=جبلة")["code"]
    found: dict[tuple[str, ...], list[str]] = {}
    for command in (
        (), ("sync",), ("status",), ("list", "household"), ("show", code), ("show", code, "--all-heads"), ("history", code),
        ("find", "علي"), ("agenda",), ("caseload",), ("overlaps",), ("duplicates",), ("referral",),
        ("edit", code, "--set", "family_name=حداد"), ("remove", code, "--reason", "سبب"), ("check",), ("doctor",),
        ("show", "nothere"), ("list", "nothere"), ("nonsense",), ("show",), ("list", "household", "--limit", "x"),
        ("show", code, "--nonsense"), ("review", "list"), ("duplicates", "scan"), ("sync", "--budget", "x"),
        ("case", "open"), ("import", "nothere.csv", "--type", "household"), ("pack", str(world.folder / "a.age")),
        ("backup", str(world.folder / "b.age")), ("server", "devices"),
    ):  # fmt: skip
        found[command] = english(world, *command)
    for command in ((), ("status",), ("server", "devices"), ("check",), ("review", "list")):
        found["hq", *command] = english(world, *command, who="hq")
    assert {command: odd for command, odd in found.items() if odd} == {}


def test_all_help_can_be_translated() -> None:
    """Every command's sentences, its options' and arguments', and the headings round them."""
    from cli import TREE

    bare: list[str] = []

    def walk(name: str, node: tree.Leaf | tree.Branch) -> None:
        made = tree.command(name, node, Settings(lang="ar"))
        told = [made.help, made.epilog, *(getattr(param, "help", None) for param in made.params)]
        bare.extend(part for text in told if text for part in text.split("\n\n") if not part.startswith(FIRST))
        if isinstance(node, tree.Branch):
            for below, one in node.commands.items():
                walk(below, one)

    walk("fieldsync", TREE)
    assert bare == []
    shown = generate.help_of(("list",), "ar")
    assert len(re.findall(f"^{FIRST}[A-Z][a-z]+{LAST}:$", shown, re.MULTILINE)) == 3  # usage, arguments, options
    assert f"[{FIRST}default{LAST}: " in shown or f"[{FIRST}required{LAST}]" in shown

"""A form that changes as offices change theirs: fields come, get other names and more choices, and leave; as TOML."""

from dataclasses import dataclass, field
from pathlib import Path

from fieldsync.schema import load

WORDS = '{ en = "x", ar = "س" }'
KINDS = {"text": ("text", "review"), "choice": ("choice", "latest"), "set": ("choice", "set"), "log": ("note", "log")}


@dataclass
class Question:
    """One field through all its names; `key` stands for it in a test's own notes."""

    key: int
    name: str
    kind: str
    choices: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    retired: bool = False

    def toml(self) -> str:
        """Return its part of the file."""
        type_, merge = KINDS[self.kind]
        lines = [
            f"[fields.{self.name}]",
            f'type = "{type_}"',
            f'merge = "{merge}"',
            "sensitivity = 1",
            f"label = {WORDS}",
        ]
        if self.retired:
            lines.append("retired = true")
        if self.choices:
            lines.append(f"[fields.{self.name}.choices]")
            gone = {code: ", retired = true" if code in self.gone else "" for code in self.choices}
            lines += [f'{code} = {{ en = "{code}", ar = "س"{gone[code]} }}' for code in self.choices]
        return "\n".join(lines)


class Book:
    """The shipped forms, and one type `visit` beside them that changes."""

    def __init__(self) -> None:
        self.version = 1
        self.retired = False
        self.renamed: dict[str, str] = {}
        self.questions = [
            Question(0, "q0", "text"),
            Question(1, "q1", "choice", ["a", "b"]),
            Question(2, "q2", "set", ["a", "b"]),
        ]
        self.questions.append(Question(3, "q3", "log"))
        self._names = 4

    def _name(self) -> str:
        self._names += 1
        return f"q{self._names}"

    def add(self, kind: str) -> None:
        """A new question."""
        self.version += 1
        choices = ["a", "b"] if KINDS[kind][0] == "choice" else []
        self.questions.append(Question(len(self.questions), self._name(), kind, choices))

    def rename(self, which: int) -> None:
        """Another name for a question."""
        self.version += 1
        one = self.questions[which % len(self.questions)]
        self.renamed[one.name] = one.name = self._name()

    def widen(self, which: int) -> None:
        """One more choice."""
        self.version += 1
        asked = [one for one in self.questions if one.choices]
        one = asked[which % len(asked)]
        one.choices.append(f"c{len(one.choices)}")

    def narrow(self, which: int) -> None:
        """A choice that is given no more."""
        self.version += 1
        asked = [one for one in self.questions if one.choices]
        one = asked[which % len(asked)]
        one.gone.add(one.choices[which % len(one.choices)])

    def retire(self, which: int) -> None:
        """A question that is asked no more."""
        self.version += 1
        self.questions[which % len(self.questions)].retired = True

    def texts(self) -> dict[str, str]:
        """Return the folder's files."""
        head = [f"version = {self.version}", f"label = {WORDS}", f"plural = {WORDS}"]
        if self.retired:
            head.append("retired = true")
        renamed = ["[renamed]", *(f'{old} = "{new}"' for old, new in self.renamed.items())] if self.renamed else []
        visit = "\n".join([*head, *renamed, *(one.toml() for one in self.questions)]) + "\n"
        return load.shipped_texts() | {"visit.toml": visit}

    def write(self, folder: Path) -> Path:
        """Write the folder."""
        return write(folder, self.texts())


def write(folder: Path, texts: dict[str, str]) -> Path:
    """Write forms into a folder."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder

"""The forms of the histories as files: the model's own table of fields (oracle/fields.py), and forms published later."""

from pathlib import Path

from tests.model.oracle import fields
from tests.model.oracle.fields import FIELDS, REFERRAL, RESIDENT, SHELTER, Spec

_WORDS = '{ en = "x", ar = "س" }'
_CHOICES = {
    "needs": ("food", "water", "blankets"),
    "kind": ("charity_help", "service"),
    "services": ("other", "food"),
    "urgency": ("routine", "urgent", "emergency"),
}
_REFS = {(RESIDENT, "shelter"): SHELTER, (REFERRAL, "person"): SHELTER}
_BY = {(REFERRAL, "override_reason"): '["supervisor", "admin"]'}


class Book:
    """The forms as headquarters has them: fields are added, and get other names."""

    def __init__(self) -> None:
        self.version = 1
        self.extra: list[str] = []  # present names of the added fields
        self.renamed: dict[str, str] = {}

    def copy(self) -> "Book":
        """Return a book that changes apart from this one."""
        other = Book()
        other.version, other.extra, other.renamed = self.version, [*self.extra], {**self.renamed}
        return other

    def add(self) -> str:
        """Add a field; return its name."""
        self.version += 1
        self.extra.append(f"extra{self.version}")
        return self.extra[-1]

    def rename(self) -> str:
        """Give the field that was added last another name; return it."""
        if not self.extra:
            return self.add()
        self.version += 1
        self.renamed[self.extra[-1]] = f"extra{self.version}"
        self.extra[-1] = f"extra{self.version}"
        return self.extra[-1]

    def texts(self) -> dict[str, str]:
        """Return the folder's files."""
        return {f"{type}.toml": self._text(type) for type in FIELDS}

    def write(self, folder: Path) -> Path:
        """Write the folder."""
        folder.mkdir(exist_ok=True)
        for name, text in self.texts().items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    def _text(self, type: str) -> str:
        version = self.version if type == SHELTER else 1
        lines = [f"version = {version}", f"label = {_WORDS}", f"plural = {_WORDS}"]
        if type in fields.OWNERS:
            lines.append(f'belongs_to = "{fields.OWNERS[type]}"')
        if type != REFERRAL:
            lines.append('title = ["name"]')
        specs = dict(FIELDS[type])
        if type == SHELTER:
            specs |= dict.fromkeys(self.extra, Spec("review", "text"))
            if self.renamed:
                lines += ["[renamed]", *(f'{old} = "{new}"' for old, new in self.renamed.items())]
        if "state" in specs:
            lines.append("[states]")
            for state, after in fields.steps(type).items():
                following = ", ".join(f'"{one}"' for one in after)
                lines.append(f'{state} = {{ en = "{state}", ar = "س", next = [{following}] }}')
        for name, spec in specs.items():
            lines += self._field(type, name, spec)
        return "\n".join(lines) + "\n"

    def _field(self, type: str, name: str, spec: Spec) -> list[str]:
        lines = [f"[fields.{name}]", f'type = "{spec.type}"', f'merge = "{spec.policy}"', "sensitivity = 1"]
        lines.append(f"label = {_WORDS}")
        if (type, name) in _REFS:
            lines.append(f'to = ["{_REFS[type, name]}"]')
        if (type, name) in _BY:
            lines.append(f"by = {_BY[type, name]}")
        if name in _CHOICES:
            lines.append(f"[fields.{name}.choices]")
            lines += [f'{code} = {{ en = "{code}", ar = "س" }}' for code in _CHOICES[name]]
        return lines

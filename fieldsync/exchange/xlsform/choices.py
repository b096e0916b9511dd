"""The choices of an XLSForm's questions; each keeps its exact code."""

import re
from collections.abc import Callable, Container, Sequence

from fieldsync.exchange.xlsform import labels
from fieldsync.exchange.xlsform import unsupported as lost
from fieldsync.exchange.xlsform.labels import LabelReader
from fieldsync.exchange.xlsform.model import ConversionNote, FormQuestion, Table
from fieldsync.exchange.xlsform.names import name_of, other_code
from fieldsync.schema.load import is_code

_INSTANCE = re.compile(r"""\binstance\(\s*['"]([^'"]+)['"]""")


def asked_lists(survey: Sequence[Table]) -> frozenset[str]:
    """Return the lists that a form's expressions ask: `instance('list')`."""
    cells = (cell for row in survey for cell in row.values() if isinstance(cell, str))
    return frozenset(name for cell in cells if "instance" in cell for name in _INSTANCE.findall(cell))


class ChoiceLists:
    """The lists of a form; `tell` records a note once, `note` a question's loss. Lists that are `asked` keep all columns."""

    def __init__(
        self,
        survey: Table,
        choices: Sequence[Table],
        names: LabelReader,
        tell: Callable[[ConversionNote], None],
        note: Callable[[FormQuestion, str, str], None],
        asked: Container[str] = (),
    ) -> None:
        self._asked = asked
        self._survey, self._labels, self._tell, self._note = survey, names, tell, note
        self._rows: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(choices, 2):
            place = (
                str(row.get("list_name") or row.get("list name") or ""),
                str(row.get("name") or row.get("value") or ""),
            )
            self._rows.setdefault(place, []).append(number)

    def take_choices(self, question: FormQuestion, child: Table) -> bool:
        """Convert a question's choices; without any the question is dropped."""
        lists = self._survey.get("choices")
        named = str(child.get("list_name") or child.get("itemset") or "")
        found = child.get("choices") or (lists.get(named) if isinstance(lists, dict) else None)
        if not found or not isinstance(found, list):
            self._note(question, "question", "no_choices")
            return False
        known = {"name", "label", "media", "sms_option", "image", "audio", "video", "geometry"}
        marks: dict[str, str] = {}
        marked = bool(child.get("choice_filter")) or named in self._asked
        names = [str(one.get("name") or "") for one in found]
        doubled = bool(child.get("choice_filter")) and len(set(names)) < len(names)
        if doubled:
            question.raw_mark = name_of("name", set(marks.values()))
        for key in dict.fromkeys(key for one in found for key in one):
            if key not in known and not key.startswith("__"):
                marks[key] = name_of(key, set(marks.values()))
        met: dict[str, int] = {}
        owned = set(names)
        for one in found:
            raw = str(one.get("name") or "")
            nth = met[raw] = met.get(raw, -1) + 1
            rows = self._rows.get((named, raw), [])
            row = rows[nth] if nth < len(rows) else None
            if nth and not child.get("choice_filter"):
                self._tell(ConversionNote("choices", row, raw, "choice", "twice"))
                continue
            if not is_code(raw):
                self._tell(ConversionNote("choices", row, raw[:40], "choice", "code"))
                continue
            code = other_code(raw, owned | question.choices.keys()) if nth else raw
            if nth:
                self._tell(ConversionNote("choices", row, raw, "choice", f"twice_called {code}"))
            for column in lost.unsupported_of_choice(one):
                self._tell(ConversionNote("choices", row, raw, column, "no_place"))
            for why in labels.lost_parts(one.get("label")):
                self._tell(ConversionNote("choices", row, raw, "label", why))
            question.codes.setdefault(raw, code)
            question.choices[code] = self._labels.label_of(one.get("label"), raw)
            own = {marks[key]: str(one[key]) for key in marks if isinstance(one.get(key), str | int | float)}
            if doubled:
                own[question.raw_mark] = raw
            if own and (marked or doubled):
                question.choices[code] = {**question.choices[code], "marks": own}
        if not question.choices:
            self._note(question, "question", "no_choices")
            return False
        question.marks = marks
        question.list = f"{named}{' filtered' if marked else ''}"
        question.from_list = named
        question.list_name = name_of(named or question.name, set())
        if child["type"] == "select all that apply":
            question.field["merge"] = "set"
        return True

"""The conditions, constraints and calculations of an XLSForm's questions, as expressions of record types."""

from collections.abc import Callable, Mapping

from fieldsync.exchange.xlsform import expressions as rules
from fieldsync.exchange.xlsform import unsupported as lost
from fieldsync.exchange.xlsform import workbook_reader
from fieldsync.exchange.xlsform.above import fields_from_above
from fieldsync.exchange.xlsform.model import FormQuestion, TypeDraft
from fieldsync.exchange.xlsform.tokens import FormNames, Untranslated, quote_text, split_tokens
from fieldsync.schema.model import MERGES

_NO = ("no", "false", "false()")
_COMPUTED = ("text", "note", "int", "number", "date", "choice", "bool")  # what a person would answer otherwise


class QuestionRules:
    """The rules of a form's record types; `repeats` names each type's repeat, `duplicated` are names of several questions.

    `note` tells that something of a question could not be carried.
    """

    def __init__(
        self,
        kinds: dict[str, TypeDraft],
        repeats: Mapping[str, str],
        doubled: set[str],
        note: Callable[[FormQuestion, str, str], None],
    ) -> None:
        self.kinds, self._repeats, self._doubled, self._note = kinds, repeats, doubled, note

    def translate_rules(self) -> None:
        """Translate conditions, constraints and calculations; untranslatable ones are dropped and listed."""
        for kind in self.kinds.values():
            mine = list(kind.questions.values())
            above = self._add_fields_above(kind)
            codes = {name: one.codes for name, one in kind.questions.items() if one.codes}
            sets = frozenset(name for name, one in kind.questions.items() if one.field.get("merge") == "set")
            ticks = frozenset(name for name, one in kind.questions.items() if one.field["type"] == "bool")
            names = FormNames(
                kind.raw,
                codes,
                sets,
                ticks,
                self._inner_names(kind),
                paths=kind.paths,
                doubled=frozenset(self._doubled),
                lists={one.from_list: name for name, one in kind.questions.items() if one.from_list},
                marks={name: one.marks for name, one in kind.questions.items() if one.marks},
                raw_marks={
                    name: one.raw_mark for name, one in kind.questions.items() if one.raw_mark and name not in sets
                },
                above=above,
            )
            for question in mine:
                if question.source:
                    self._translate_question(kind, question, names._replace(place=question.place))
            for note in kind.notes.values():
                self._translate_relevant(note, names)

    def _add_fields_above(self, kind: TypeDraft) -> dict[str, str]:
        """Give a repeat what its conditions ask of the record above; return these fields by their names in the form."""
        if kind.owner not in self.kinds:
            return {}
        asked = [one.text for some in (kind.questions, kind.notes) for q in some.values() for one in q.relevant]
        asked += [
            str((question.source.get("bind") or {}).get("calculate") or "") for question in kind.questions.values()
        ]
        found = fields_from_above(kind, self.kinds[kind.owner], asked)
        kind.questions.update({one.name: one for one in found.values()})
        return {raw: one.name for raw, one in found.items()}

    def _inner_names(self, kind: TypeDraft) -> dict[str, str]:
        """The repeats of a type, and the questions in them, by their names in the form."""
        found: dict[str, str] = {}
        for child in self.kinds.values():
            if child.owner == kind.name:
                found[self._repeats[child.name]] = child.name
                found |= {raw: f"{child.name}.{name}" for raw, name in child.raw.items()}
        return found

    def _translate_question(self, kind: TypeDraft, question: FormQuestion, names: FormNames) -> None:
        made, source = question.field, question.source
        bind = source["bind"] if isinstance(source.get("bind"), dict) else {}
        calculation = str(bind.get("calculate") or "")
        computing = names._replace(fields={**names.above, **names.fields})
        read_only = str(bind.get("readonly") or "").strip().casefold() not in ("", *_NO)
        given = lost.is_read_only(source) and made["type"] in _COMPUTED and made.get("merge") is None
        if read_only and not given:
            self._note(question, "read_only", "no_place")
        if source["type"] in ("calculate", "hidden") or given:
            made["merge"] = "derived"
            if calculation.strip() in ("", "."):  # it stays what it is from the beginning
                calculation = self._constant_of(question)
            made["formula"] = self._translate_text(question, "calculation", calculation, computing)
            if not made["formula"]:
                del kind.questions[question.name]
                if kind.raw.get(str(source["name"])) == question.name:
                    kind.raw.pop(str(source["name"]))
                kind.paths.pop(question.place, None)
                return
            if made["type"] == "text" and rules.makes_number(split_tokens(calculation)):
                made["type"] = "number"
            made.pop("pattern", None)
        elif calculation and made["type"] in _COMPUTED and made.get("merge") is None:
            formula = self._translate_text(question, "calculation", calculation, computing)
            if formula:
                made |= {"merge": "derived", "formula": formula}
                made.pop("pattern", None)
        elif calculation:
            self._note(question, "calculation", "question")
        self._translate_default(question, str(source.get("default") or ""), names)
        self._translate_relevant(question, names)
        self._translate_required(question, str(bind.get("required") or ""), names)
        if bind.get("constraint"):
            self._translate_constraint(question, str(bind["constraint"]), names)
        if source.get("choice_filter") and made.get("merge") != "derived":
            made["filter"] = self._translate_text(
                question, "choice_filter", str(source["choice_filter"]), names, question.marks
            )
        self._set_merge_policy(question)

    def _constant_of(self, question: FormQuestion) -> str:
        """Return the expression of a constant question; values supplied by other programs are listed."""
        text = str(question.source.get("default") or "")
        if not text and question.source["type"] == "hidden":
            self._note(question, "question", "outside")
        return text if workbook_reader.is_expression(text, "text") else quote_text(text)

    def _translate_relevant(self, question: FormQuestion, names: FormNames) -> None:
        """Translate a question's condition, combined with those of its groups."""
        relevant = [
            self._translate_text(
                question, "relevant", one.text, names._replace(fields={**names.above, **names.fields}, place=one.place)
            )
            for one in question.relevant
        ]
        relevant = [one for one in relevant if one]
        question.field["relevant"] = relevant[0] if len(relevant) == 1 else " and ".join(f"({one})" for one in relevant)

    def _translate_text(
        self, question: FormQuestion, what: str, text: str, names: FormNames, marks: Mapping[str, str] | None = None
    ) -> str:
        try:
            return rules.translate_expression(split_tokens(text), names, question.name, marks)
        except Untranslated as fault:
            self._note(question, what, f"{fault.reason} {fault.what}".strip())
            return ""

    def _translate_default(self, question: FormQuestion, text: str, names: FormNames) -> None:
        """Translate a default: a literal, or an expression, which becomes a calculation."""
        made, type = question.field, str(question.source["type"])
        if not text.strip() or made.get("merge") == "derived":
            return
        if workbook_reader.is_expression(text, type):
            made["default"] = self._translate_text(question, "default", text, names)
            return
        if made["type"] == "date":
            text = text[:10]  # a workbook's own dates have a time
        elif made["type"] == "bool":
            text = "true" if text.strip().casefold() in ("ok", "yes", "true", "1") else "false"
        elif question.codes:
            words = text.split() if made.get("merge") == "set" else [text.strip()]
            if not all(word in question.codes for word in words):
                self._note(question, "default", "unknown_value")
                return
            text = " ".join(question.codes[word] for word in words)
        made["default"] = quote_text(text.strip())

    def _translate_required(self, question: FormQuestion, text: str, names: FormNames) -> None:
        if text.strip().casefold() in ("yes", "true", "true()"):
            question.field["required"] = "always"
        elif text.strip().casefold() not in ("", *_NO) and (
            when := self._translate_text(question, "required", text, names)
        ):
            question.field |= {"required": "when", "when": when}

    def _translate_constraint(self, question: FormQuestion, text: str, names: FormNames) -> None:
        """A constraint's simple parts become limits and patterns, the rest one rule."""
        made = question.field
        rest: list[str] = []
        try:
            parts = rules.split_conditions(split_tokens(text))
            for part in parts:
                bound, pattern = rules.limits_of(part), rules.pattern_of(part)
                if bound is not None and bound[0] == "past" and made["type"] == "date":
                    made["past"] = True
                elif bound is not None and bound[0] != "past" and made["type"] == "int" and bound[0] not in made:
                    made[bound[0]] = int(bound[1])
                elif pattern is not None and made["type"] == "text" and "pattern" not in made:
                    made["pattern"] = pattern
                else:
                    rest.append(rules.translate_expression(part, names, question.name))
        except Untranslated as fault:
            self._note(question, "constraint", f"{fault.reason} {fault.what}".strip())
            return
        made["rule"] = rest[0] if len(rest) == 1 else " and ".join(f"({one})" for one in rest)

    def _set_merge_policy(self, question: FormQuestion) -> None:
        made = question.field
        asked = str(question.source.get("merge") or "").strip()
        if asked in MERGES and made.get("merge") not in ("derived", "set"):
            made["merge"] = asked
        elif asked and asked != made.get("merge"):
            self._note(question, "merge", "unknown_value")
        strict = any(
            made.get(key) not in (None, "", "optional") for key in ("required", "rule", "min", "max", "pattern", "past")
        )
        made.setdefault("merge", "review" if strict else "latest")

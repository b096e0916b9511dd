"""Validation of a save against its type: legal values, rules across fields, lifecycle steps, missing fields.

A record may be saved before it is complete; missing fields keep it in its first state.
"""

from collections.abc import Container, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import NoReturn

from fieldsync import errors
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.schema import identity_documents
from fieldsync.schema.expressions import lookups, parser, step_limit
from fieldsync.schema.expressions.choice_words import CHOICES
from fieldsync.schema.model import Choice, Field, Type
from fieldsync.schema.value_text import Normaliser
from fieldsync.schema.values import received_normaliser, value_normaliser

__all__ = [
    "check_changes",
    "check_member",
    "check_new_member",
    "check_stored",
    "derive_fields",
    "list_warnings",
    "missing_fields",
    "normalise_changes",
    "offered_choices",
    "relevant_fields",
    "value_normaliser",
    "whole_document",
]

Doc = Mapping[str, object]
STATE = "state"
MARK = "choice_"  # what a choice's marks are called in a filter
GPS_ACCURACY = 100.0  # metres; a fix worse than that is doubtful


class _TypePlan:
    """Data compiled once per type."""

    def __init__(self, kind: Type) -> None:
        fields = kind.fields.values()
        plain = [field for field in fields if field.kind == "plain"]
        self._plain = plain
        self.past = frozenset(field.name for field in plain if field.past)
        self.retired = frozenset(field.name for field in fields if field.retired)
        self.gone = {
            field.name: frozenset(c.code for c in field.choices if c.retired)
            for field in fields
            if any(choice.retired for choice in field.choices)
        }
        self.once = frozenset(field.name for field in plain if field.merge == "once")
        self.server = frozenset(field.name for field in plain if field.merge == "server")
        self.always = frozenset(field.name for field in fields if field.required == "always")
        self.rules = [(field.name, parser.compile_expression(field.rule)) for field in fields if field.rule]
        self.warn = [(field.name, parser.compile_expression(field.warn)) for field in fields if field.warn]
        self.when = _compile_texts((field.name, field.when) for field in fields)
        self.relevant = _compile_texts((field.name, field.relevant) for field in fields)
        self.formulas = _compile_texts((field.name, field.formula) for field in fields)
        self.offers = {field.name: _ChoiceFilter(field) for field in fields if field.filter}
        touching: dict[str, list[tuple[str, parser.Expression | _ChoiceFilter]]] = {}
        judged: list[tuple[str, parser.Expression | _ChoiceFilter]] = [*self.rules, *self.offers.items()]
        for name, rule in judged:
            for touched in self.sources_of(rule.names | {name}):
                touching.setdefault(touched, []).append((name, rule))
        self.touching = touching

    @cached_property
    def normalisers(self) -> dict[str, Normaliser]:
        """The functions that normalise plain fields; not needed for reading."""
        return {field.name: value_normaliser(field) for field in self._plain}

    def sources_of(self, names: frozenset[str]) -> set[str]:
        """Return the fields on which these depend: computed fields change with their sources."""
        found: set[str] = set()
        ahead = list(names)
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead.extend(self.formulas[name].names if name in self.formulas else ())
        return found


class _ChoiceFilter:
    """Which choices of a field are offered: its `filter`, asked of each choice's marks."""

    def __init__(self, field: Field) -> None:
        compiled = parser.compile_expression(field.filter)
        self.text = field.filter
        self.names = frozenset(name for name in compiled.names if not name.startswith(MARK))
        self._field = field
        self._filter = compiled
        self._marks = {one.code: {MARK + name: mark for name, mark in one.marks.items()} for one in field.choices}

    def offers_choice(self, code: object, doc: Doc, today: str) -> bool:
        """Return whether a choice is offered beside the other answers."""
        marks = self._marks.get(str(code))
        return marks is None or self._filter.holds_for({**doc, **marks}, today)

    def holds_for(self, doc: Doc, today: str) -> bool:
        """Return whether the chosen value is offered."""
        value = doc.get(self._field.name)
        return all(
            self.offers_choice(one, doc, today) for one in (value if isinstance(value, list | tuple) else [value])
        )


def _compile_texts(texts: Iterable[tuple[str, str]]) -> dict[str, parser.Expression]:
    return {name: parser.compile_expression(text) for name, text in texts if text}


@lru_cache(maxsize=256)
def _plan_of(kind: Type) -> _TypePlan:
    return _TypePlan(kind)


def check_changes(
    kind: Type,
    changes: Mapping[str, object],
    doc: Doc,
    today: str,
    *,
    sets: Iterable[str] = (),
    deciding: bool = False,
) -> dict[str, object]:
    """Return the stored values of changes to plain fields, judged; raises as `normalise_changes` and `check_stored` do."""
    new = normalise_changes(kind, changes)
    check_stored(kind, new, doc, today, sets=sets, deciding=deciding)
    return new


def normalise_changes(kind: Type, changes: Mapping[str, object]) -> dict[str, object]:
    """Return the stored values of plain fields, None for an emptied one. UnknownField, IllegalValue."""
    makers = _plan_of(kind).normalisers
    new: dict[str, object] = {}
    try:
        for name, value in changes.items():
            maker = makers.get(name)
            if maker is None:
                _refuse_not_plain(kind.field(name))
            else:
                new[name] = maker(value)
    except errors.IllegalValue as error:
        error.facts["type"] = kind.name
        raise
    return new


def check_stored(
    kind: Type,
    new: Mapping[str, object],
    doc: Doc,
    today: str,
    *,
    sets: Iterable[str] = (),
    deciding: bool = False,
    unseen: Container[str] = (),
) -> None:
    """Refuse stored values of plain fields that conflict with the rest of their record.

    `doc` is what the record shows ({} for a new one), with the set members and log entries of the same save already in it;
    `sets` are those that this save changes. A decision in review (`deciding`) may write a `once` field again and take any
    state. `unseen` are fields that are not shown here: nobody can say that they lack. IllegalValue, IllegalStep, Incomplete.
    """
    plan = _plan_of(kind)
    try:
        _refuse_retired(plan, kind, new, doc)
        for name in plan.past.intersection(new):
            _refuse_future(kind.fields[name], new[name], today)
        if not deciding:
            for name in plan.once.intersection(new):
                _refuse_second(name, doc.get(name), new[name])
            for name in plan.server.intersection(new):
                _refuse_typed(name, doc.get(name), new[name])
        _check_rules(kind, plan, {**dict.fromkeys(sets), **new}.keys(), {**doc, **new}, today)
    except errors.IllegalValue as error:
        error.facts["type"] = kind.name
        raise
    if kind.lifecycle is not None and not deciding:
        _check_step(kind, kind.lifecycle, new, doc, today, unseen)


def check_member(field: Field, value: object, *, stored: bool = False) -> str | int:
    """A set's member as text, a log's entry, or a step of a tally (a whole number, also negative).

    One that another device `stored` may be what an earlier release took. Raises IllegalValue.
    """
    if field.kind not in ("set", "log", "tally"):
        raise errors.IllegalValue(field=field.name, reason="no_members")
    found = (received_normaliser if stored else value_normaliser)(field)(value)
    if found is None:
        raise errors.IllegalValue(field=field.name, reason="empty")
    if field.kind == "tally" and isinstance(found, int):
        return found
    return str(found)


def check_new_member(field: Field, value: object) -> str | int:
    """A member, entry or step as `check_member` has it, which the form still takes. Raises IllegalValue."""
    found = check_member(field, value)
    if field.retired:
        raise errors.IllegalValue(field=field.name, reason="retired_field")
    if any(choice.retired and choice.code == found for choice in field.choices):
        offered = [choice.code for choice in field.offered_choices]
        raise errors.IllegalValue(field=field.name, reason="retired_choice", choices=offered)
    return found


def missing_fields(kind: Type, doc: Doc, today: str, finder: lookups.RecordSource | None = None) -> list[str]:
    """The fields that a record still needs before it can leave its first state, in form order."""
    plan = _plan_of(kind)
    full = whole_document(kind, doc, today, finder)
    return [name for name in kind.fields if _is_needed(kind, plan, name, full, today)]


def relevant_fields(kind: Type, doc: Doc, today: str, finder: lookups.RecordSource | None = None) -> list[str]:
    """The fields to ask for now, in form order; states and derived fields are never asked for."""
    plan = _plan_of(kind)
    full = whole_document(kind, doc, today, finder)
    return [
        name
        for name, field in kind.fields.items()
        if field.type != STATE and field.kind != "derived" and not field.retired and _is_asked(plan, name, full, today)
    ]


def derive_fields(kind: Type, doc: Doc, today: str, finder: lookups.RecordSource | None = None) -> dict[str, object]:
    """The derived fields that follow from the record, and with a finder from others; those unknown for now are left out.

    One may rest on another that stands above it in the form. What takes too much work is left out, too.
    """
    found: dict[str, object] = {}
    whole = not step_limit.is_limited()  # else somebody else's formula asks for this record
    doc = {**doc, CHOICES: kind.fields} if finder is None else {**doc, CHOICES: kind.fields, lookups.FINDER: finder}
    with step_limit.limit_steps():
        for name, formula in _plan_of(kind).formulas.items():
            try:
                value = formula.evaluate({**doc, **found} if found else doc, today)
            except step_limit.TooManySteps:
                if whole:
                    continue
                raise
            if value not in (None, ""):
                found[name] = value
    return found


def asks_others(kind: Type, name: str) -> bool:
    """Return whether a derived field rests on other records, by itself or by another that it rests on."""
    plan = _plan_of(kind)
    return any(plan.formulas[one].asks for one in plan.sources_of(frozenset({name})) if one in plan.formulas)


def offered_choices(kind: Type, field: Field, doc: Doc, today: str) -> list[Choice]:
    """The choices that may be given beside the other answers, in the form's order."""
    offer = _plan_of(kind).offers.get(field.name)
    if offer is None:
        return list(field.offered_choices)
    full = whole_document(kind, doc, today)
    return [choice for choice in field.offered_choices if offer.offers_choice(choice.code, full, today)]


def list_warnings(kind: Type, doc: Doc, today: str) -> list[dict[str, str]]:
    """Return legal but unusual values, as [{"field", "reason"}]: failed `warn` rules, papers, coarse GPS."""
    full = whole_document(kind, doc, today)
    found = [
        {"field": name, "reason": "warn"}
        for name, rule in _plan_of(kind).warn
        if not _is_empty(full.get(name)) and not rule.holds_for(full, today)
    ]
    for name, field in kind.fields.items():
        value = full.get(name)
        if field.type == "paper":
            held = value if isinstance(value, list | tuple) else [value] if value else []
            reasons = [identity_documents.paper_doubt(str(paper), today) for paper in held]
        elif field.type == "geopoint":
            parts = str(value or "").split()
            coarse = len(parts) == 4 and float(parts[3]) > GPS_ACCURACY
            reasons = ["coarse"] if coarse else []
        else:
            continue
        found.extend({"field": name, "reason": reason} for reason in reasons if reason)
    return found


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], ())


def whole_document(kind: Type, doc: Doc, today: str, finder: lookups.RecordSource | None = None) -> dict[str, object]:
    """The document with its derived fields (see `derive_fields`), and the state that a new record is in."""
    full = {**doc, CHOICES: kind.fields}
    if kind.lifecycle is not None and full.get(STATE) is None:
        full[STATE] = kind.lifecycle.initial_state
    return full | derive_fields(kind, full, today, finder)


def _is_asked(plan: _TypePlan, name: str, full: Doc, today: str) -> bool:
    rule = plan.relevant.get(name)
    return rule is None or rule.holds_for(full, today)


def _is_needed(kind: Type, plan: _TypePlan, name: str, full: Doc, today: str) -> bool:
    # A tally counts from nothing, so it is never missing.
    spec = kind.fields[name]
    if spec.kind in ("tally", "derived") or spec.retired or not _is_empty(full.get(name)):
        return False
    when = plan.when.get(name)
    wanted = name in plan.always or (when is not None and when.holds_for(full, today))
    return wanted and _is_asked(plan, name, full, today)


def _refuse_not_plain(field: Field) -> NoReturn:
    reason = "derived" if field.kind == "derived" else "not_plain"
    raise errors.IllegalValue(field=field.name, reason=reason, kind=field.kind)


def _refuse_retired(plan: _TypePlan, kind: Type, new: Doc, doc: Doc) -> None:
    """Refuse new uses of retired fields and choices; stored ones stay readable and may be emptied."""
    for name in plan.retired.intersection(new):
        if new[name] not in (None, doc.get(name)):
            raise errors.IllegalValue(field=name, reason="retired_field")
    for name in plan.gone.keys() & new.keys():
        if new[name] in plan.gone[name] and new[name] != doc.get(name):
            offered = [choice.code for choice in kind.fields[name].offered_choices]
            raise errors.IllegalValue(field=name, reason="retired_choice", choices=offered)


def _refuse_future(field: Field, value: object, today: str) -> None:
    if isinstance(value, str) and value > today[: len(value)]:
        raise errors.IllegalValue(field=field.name, reason="future", today=today)


def _refuse_second(name: str, old: object, new: object) -> None:
    if old not in (None, new):
        raise errors.IllegalValue(field=name, reason="written_once")


def _refuse_typed(name: str, old: object, new: object) -> None:
    if new != old:
        raise errors.IllegalValue(field=name, reason="server")


def _check_rules(kind: Type, plan: _TypePlan, changed: Iterable[str], after: Doc, today: str) -> None:
    """Only rules that this save touches: an old record must not be stuck over another field."""
    touched = plan.touching.keys() & changed
    if not touched:
        return
    after = {**after, CHOICES: kind.fields, **(derive_fields(kind, after, today) if plan.formulas else {})}
    for name in sorted(touched):
        for owner, rule in plan.touching[name]:
            if _is_empty(after.get(owner)) or rule.holds_for(after, today):
                continue
            if isinstance(rule, _ChoiceFilter):
                raise errors.IllegalValue(field=owner, reason="not_offered")
            raise errors.IllegalValue(field=owner, reason="rule", rule=rule.text)


def _check_step(
    kind: Type, lifecycle: Lifecycle, new: Mapping[str, object], doc: Doc, today: str, unseen: Container[str]
) -> None:
    old = doc.get(STATE)
    before = old if isinstance(old, str) else None
    state = new.get(STATE, before)
    if STATE in new and not (isinstance(state, str) and lifecycle.allows_step(before, state)):
        raise errors.IllegalStep(type=kind.name, old=before, new=state, allowed=list(lifecycle.next_states(before)))
    if state in (None, lifecycle.initial_state):
        return
    plan, reason = _plan_of(kind), {}
    full = whole_document(kind, {**doc, **new}, today)
    if before == lifecycle.initial_state:
        wanted = list(kind.fields)
    elif state != before:
        # Fields that a newer form wants do not hold up a record that left its first state long ago.
        wanted = [name for name in kind.fields if name in plan.when]
    else:
        wanted, reason = [name for name, value in new.items() if value is None], {"reason": "emptied"}
    lacking = [name for name in wanted if name not in unseen and _is_needed(kind, plan, name, full, today)]
    if lacking:
        raise errors.Incomplete(type=kind.name, fields=lacking, **reason)

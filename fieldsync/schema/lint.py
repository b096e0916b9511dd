"""Consistency rules among the parts of a record type; each violation is a fault at its key."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from fieldsync.core.lifecycle import Lifecycle
from fieldsync.schema import form_defaults
from fieldsync.schema.expressions import lookups, parser
from fieldsync.schema.model import MERGES, TYPES, Field, Type

ROLES = ("caseworker", "supervisor", "admin", "partner")  # who writes records
REQUIRED = ("always", "optional", "when")
EXPRESSIONS = ("when", "relevant", "rule", "warn", "formula", "filter", "default")
HASHTAG = r"#[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)*"
MAX_SENSITIVITY = 4
LISTED_SENSITIVITY = 2  # what is more sensitive stands in no list and no search index
_BOUNDED = {"int", "number", "money", "text", "note"}
_MEMBERS = {"text", "phone", "choice", "ref", "paper", "date", "month", "int"}
_ORDERED = {"int", "number", "money", "date", "month", "choice"}
_STEPS = {"state", "choice", "approval"}
# Which types of value a merge policy makes sense for; policies not named take any but `state`.
_FITS: Mapping[str, set[str]] = {
    "set": _MEMBERS,
    "tally": {"int"},
    "log": {"text", "note"},
    "greatest": _ORDERED,
    "least": _ORDERED,
    "furthest": _STEPS,
}


class FaultReport(Protocol):
    """Receives a fault: its position, code and facts."""

    def __call__(self, path: tuple[str, ...], code: str, **facts: object) -> None:
        """Take one."""


def lint_type(kind: Type, types: Mapping[str, Type], report: FaultReport) -> None:
    """Report every breach of a type whose keys were read already."""
    for field in kind.fields.values():
        _check_field(kind, field, types, report)
        _check_expressions(kind, field, types, report)
    _check_circles(kind, report)
    _check_lifecycle(kind, report)
    _check_owner(kind, types, report)
    _check_due(kind, types, report)
    _check_doubles(kind, types, report)
    _check_notes(kind, report)
    if kind.version < 1:
        report(("version",), "bad_version")
    for key, names in (("title", kind.title), ("search", kind.search)):
        for name in names:
            if name not in kind.fields:
                report((key,), "unknown_field", field=name, known=list(kind.fields))
            elif kind.fields[name].sensitivity > LISTED_SENSITIVITY:
                report((key,), "too_sensitive", field=name)
    for old in kind.renamed:
        if old in kind.fields:
            report(("renamed", old), "rename_in_use", field=old)
        elif final_name(kind.renamed, old) not in kind.fields:
            report(("renamed", old), "unknown_field", field=kind.renamed[old])


def final_name(renamed: Mapping[str, str], name: str) -> str:
    """Return a field's name after all renames; a cycle ends at its first name."""
    seen = {name}
    while name in renamed and renamed[name] not in seen:
        name = renamed[name]
        seen.add(name)
    return name


def _check_field(kind: Type, field: Field, types: Mapping[str, Type], report: FaultReport) -> None:
    path = ("fields", field.name)
    known = {"type": TYPES, "merge": MERGES, "required": REQUIRED}
    odd = {key: values for key, values in known.items() if getattr(field, key) not in values}
    for key, values in odd.items():
        report((*path, key), "unknown_value", value=getattr(field, key), known=list(values))
    if odd:
        return
    if field.type not in _FITS.get(field.merge, set(TYPES) - {"state"}):
        report((*path, "merge"), "merge_does_not_fit", type=field.type, merge=field.merge)
    # Keys that only some fields may have, and whether this one may.
    for key, fits in (
        ("choices", field.type in ("choice", "paper", "state", "approval")),
        ("to", field.type == "ref"),
        ("formula", field.merge == "derived"),
        ("filter", field.type == "choice"),
        ("default", field.kind in ("plain", "set") and field.merge != "server" and field.type != "state"),
        ("past", field.type in ("date", "month")),
        ("pattern", field.type in ("text", "note")),
        ("when", field.required == "when"),
        ("or_text", field.type == "ref"),
        ("over", field.type in ("text", "note") and field.kind == "plain"),
        ("forks", field.merge == "furthest" and field.type == "choice"),
        ("by", field.kind == "plain" and field.merge != "server"),
        ("year", field.merge == "server"),
    ):
        if getattr(field, key) and not fits:
            report((*path, key), "key_does_not_fit", type=field.type, merge=field.merge)
    # And those that some fields must have.
    for key, needed in (
        ("choices", field.type in ("choice", "paper")),
        ("to", field.type == "ref"),
        ("when", field.required == "when"),
    ):
        if needed and not getattr(field, key):
            report(path, "missing_key", missing=key)
    if field.default and (reason := form_defaults.illegal_default(field)):
        report((*path, "default"), "bad_default", reason=reason)
    _check_references(kind, field, types, report)
    _check_limits(field, report)
    _check_steps(field, report)


def _check_references(kind: Type, field: Field, types: Mapping[str, Type], report: FaultReport) -> None:
    path = ("fields", field.name)
    if field.section and field.section not in kind.sections:
        report((*path, "section"), "unknown_section", known=list(kind.sections))
    dates = [one.name for one in kind.fields.values() if one.type == "date"]
    if field.year and field.year not in dates:
        report((*path, "year"), "unknown_value", value=field.year, known=dates)
    for key, targets in (("to", field.to), ("over", field.over)):
        for target in targets:
            if target not in types:
                report((*path, key), "unknown_type", type=target, known=sorted(types))


def _check_steps(field: Field, report: FaultReport) -> None:
    """The roles and pairs of a field's values must be roles, and values."""
    path = ("states",) if field.type == "state" else ("fields", field.name, "by")
    for step, roles in field.by.items():
        for value in step.split(">"):
            if value and value not in field.codes:
                report(path, "unknown_choice", field=field.name, choice=value, known=list(field.codes))
        _check_roles(roles, path, report)
    for value in sorted({value for pair in field.forks for value in pair} - set(field.codes)):
        report(
            ("fields", field.name, "forks"), "unknown_choice", field=field.name, choice=value, known=list(field.codes)
        )


def _check_roles(roles: tuple[str, ...], path: tuple[str, ...], report: FaultReport) -> None:
    for role in roles:
        if role not in ROLES:
            report(path, "unknown_value", value=role, known=list(ROLES))


def _check_limits(field: Field, report: FaultReport) -> None:
    path = ("fields", field.name)
    low, high = field.min, field.max
    for key, bound in (("min", low), ("max", high)):
        wanted = str if field.type == "date" else int | float
        if bound is not None and (field.type not in _BOUNDED | {"date"} or not isinstance(bound, wanted)):
            report((*path, key), "key_does_not_fit", type=field.type)
            return
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        report((*path, "min"), "min_over_max")
    if not 0 <= field.sensitivity <= MAX_SENSITIVITY:
        report((*path, "sensitivity"), "out_of_range", min=0, max=MAX_SENSITIVITY)
    if not re.fullmatch(r"[A-Z]{2}", field.country):
        report((*path, "country"), "bad_country")
    if field.hxl and not re.fullmatch(HASHTAG, field.hxl):
        report((*path, "hxl"), "bad_hashtag")
    at = _pattern_fault(field.pattern) if field.pattern else None
    if at is not None:
        report((*path, "pattern"), "bad_pattern", at=at + 1)


def _pattern_fault(pattern: str) -> int | None:
    """Return where a pattern is at fault, None if it is not."""
    from fieldsync.schema import patterns  # few forms have any

    try:
        patterns.compile_pattern(pattern)
    except patterns.BadPattern as fault:
        return fault.at
    return None


def _check_expressions(kind: Type, field: Field, types: Mapping[str, Type], report: FaultReport) -> None:
    for key in EXPRESSIONS:
        if text := getattr(field, key):
            _check_expression(kind, ("fields", field.name, key), text, report)
            _check_asks(kind, ("fields", field.name, key), text, types, report)


def _check_circles(kind: Type, report: FaultReport) -> None:
    """No derived field may rest on itself, by whichever others."""
    rests: dict[str, frozenset[str]] = {}
    for field in kind.fields.values():
        if field.formula:
            with suppress(parser.ExpressionError):  # reported already
                rests[field.name] = parser.compile_expression(field.formula).names
    for name, names in rests.items():
        met: set[str] = set()
        ahead = list(names)
        while ahead:
            one = ahead.pop()
            if one == name:
                report(("fields", name, "formula"), "formula_circle", field=name)
                break
            if one not in met:
                met.add(one)
                ahead.extend(rests.get(one, ()))


def _check_asks(kind: Type, path: tuple[str, ...], text: str, types: Mapping[str, Type], report: FaultReport) -> None:
    """Only formulas ask other records, and of fields that these have."""
    try:
        asks = parser.compile_expression(text).asks
    except parser.ExpressionError:
        return  # reported already
    if asks and path[-1] != "formula":
        report(path, "bad_expression", reason="unknown_function", at=text.index(asks[0].function))
        return
    for ask in asks:
        if ask.function == "of":
            ref = kind.fields.get(ask.of)
            if ref is None or not ref.to:
                report(path, "unknown_field", field=ask.of, known=[f.name for f in kind.fields.values() if f.to])
                continue
            others = [types[name] for name in ref.to if name in types]
        elif ask.of not in types:
            report(path, "unknown_type", type=ask.of, known=sorted(types))
            continue
        else:
            others = [types[ask.of]]
            if lookups.link_field(others[0], kind.name) is None:
                mine = sorted(one.name for one in types.values() if lookups.link_field(one, kind.name))
                report(path, "unknown_type", type=ask.of, known=mine)
        known = {name for other in others for name in other.fields}  # one of several types may lack what others have
        for name in sorted({*ask.names, ask.field, ask.by} - {""} - known):
            report(path, "unknown_field", field=name, known=sorted(known))
        for other in others:
            for name, code in sorted(ask.answers):
                codes = other.fields[name].codes if name in other.fields else ()
                if codes and code not in codes:
                    report(path, "unknown_choice", field=name, choice=code, known=list(codes))


def _check_expression(kind: Type, path: tuple[str, ...], text: str, report: FaultReport) -> None:
    try:
        compiled = parser.compile_expression(text)
    except parser.ExpressionError as error:
        report(path, "bad_expression", reason=error.reason, at=error.at)
        return
    for pattern, start in compiled.patterns:
        if (at := _pattern_fault(pattern)) is not None:
            report(path, "bad_pattern", at=start + at + 2)
    marks = _choice_marks(kind.fields[path[1]]) if path[-1] == "filter" else set()
    for name in sorted(compiled.names - kind.fields.keys() - marks):
        report(path, "unknown_field", field=name, known=list(kind.fields))
    for name, code in sorted(compiled.answers):
        codes = kind.fields[name].codes if name in kind.fields else ()
        if codes and code not in codes and kind.fields[name].type != "paper":
            report(path, "unknown_choice", field=name, choice=code, known=list(codes))


def _choice_marks(field: Field) -> set[str]:
    """Return the marks of choices that a filter may use."""
    return {f"choice_{name}" for choice in field.choices for name in choice.marks}


def _check_due(kind: Type, types: Mapping[str, Type], report: FaultReport) -> None:
    """Check that a due rule has a date and a worker, from its own fields or a referenced record's."""
    for name, due in kind.due.items():
        path = ("due", name)
        for key in ("on", "when"):
            if text := getattr(due, key):
                _check_expression(kind, (*path, key), text, report)
        _check_roles(due.by, (*path, "by"), report)
        _check_path(kind, (*path, "who"), due.who, types, report)


def _check_doubles(kind: Type, types: Mapping[str, Type], report: FaultReport) -> None:
    for name, double in kind.doubles.items():
        path = ("doubles", name)
        if double.unless:
            _check_expression(kind, (*path, "unless"), double.unless, report)
        for field in double.same:
            _check_path(kind, (*path, "same"), field, types, report)
        _check_path(kind, (*path, "against"), double.against, types, report)


def _check_notes(kind: Type, report: FaultReport) -> None:
    for name, note in kind.notes.items():
        path = ("notes", name)
        if note.before and note.before not in kind.fields:
            report((*path, "before"), "unknown_field", field=note.before, known=list(kind.fields))
        if note.section and note.section not in kind.sections:
            report((*path, "section"), "unknown_section", known=list(kind.sections))
        if note.relevant:
            _check_expression(kind, (*path, "relevant"), note.relevant, report)


def _check_path(kind: Type, path: tuple[str, ...], given: str, types: Mapping[str, Type], report: FaultReport) -> None:
    """A field of the type, or with a dot one of a record that it names."""
    field, _, beyond = given.partition(".")
    if field and field not in kind.fields:
        report(path, "unknown_field", field=field, known=list(kind.fields))
    elif beyond and not any(beyond in types[one].fields for one in kind.fields[field].to if one in types):
        report(path, "unknown_field", field=beyond, known=[])


def _check_lifecycle(kind: Type, report: FaultReport) -> None:
    held = [field.name for field in kind.fields.values() if field.type == "state"]
    if kind.lifecycle is None or held != ["state"]:
        for name in held:
            if kind.lifecycle is None or name != "state":
                report(("fields", name, "type"), "state_without_states")
        if kind.lifecycle is not None and "state" not in held:
            report(("states",), "states_without_field")
    if kind.lifecycle is not None:
        _check_states(kind.lifecycle, report)


def _check_states(lifecycle: Lifecycle, report: FaultReport) -> None:
    known = lifecycle.states
    for state, following in lifecycle.transitions.items():
        for target in sorted(set(following) - set(known)):
            report(("states", state), "unknown_state", state=target, known=list(known))
        starts = lifecycle.next_states(None)
        if state not in starts and not any(lifecycle.reaches(start, state) for start in starts):
            report(("states", state), "unreachable_state", state=state)
    for key, pairs in (("forks", lifecycle.forks), ("beats", lifecycle.beats)):
        for state in sorted({state for pair in pairs for state in pair} - set(known)):
            report((key,), "unknown_state", state=state, known=list(known))


def _check_owner(kind: Type, types: Mapping[str, Type], report: FaultReport) -> None:
    if kind.belongs_to is None:
        if kind.above:
            report(("above",), "above_whom")
        return
    if kind.below:
        report(("below",), "below_and_belongs")
    owner = kind.fields.get(kind.belongs_to)
    if owner is None or owner.type != "ref" or owner.kind != "plain" or (owner.or_text and not kind.above):
        report(("belongs_to",), "not_a_ref", field=kind.belongs_to)
        return
    for name in owner.to:
        if name in types and types[name].below:  # what is about one would go to everybody
            report(("belongs_to",), "belongs_below", field=kind.belongs_to, type=name)
    seen: set[str] = set()
    ahead = list(owner.to)
    while ahead:
        name = ahead.pop()
        if name == kind.name:
            report(("belongs_to",), "belongs_in_circle", field=kind.belongs_to)
            return
        above = types.get(name)
        if name not in seen and above and above.belongs_to in above.fields:
            ahead.extend(above.fields[str(above.belongs_to)].to)
            if kind.above and above.above:
                report(("above",), "above_whom")
        seen.add(name)

"""Case management commands; each is an ordinary edit, or several in one save."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import opened, record_forms, tables, tell
from fieldsync.commands.records import Note
from fieldsync.commands.support import completion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fieldsync.replica.changes import Changes
    from fieldsync.replica.node import Node

Case = Annotated[
    str,
    Argument(
        metavar="CASE", help="The case: its id, its code, or a beginning of either.", autocompletion=completion.codes
    ),
]
More = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any other field of the form, as with `add`.",
        autocompletion=completion.pairs,
    ),
]


def open_case(
    ctx: typer.Context,
    person: Annotated[
        str,
        Argument(
            metavar="PERSON",
            help="The case's person: an id, a code, or a beginning of either.",
            autocompletion=completion.codes,
        ),
    ],
    *,
    kind: Annotated[
        str | None, Option("--type", metavar="TYPE", help="child, woman, older, disability, family, …")
    ] = None,
    concern: Annotated[
        list[str] | None, Option(metavar="CONCERN", help="A danger to the person; repeat for each.")
    ] = None,
    risk: Annotated[str | None, Option(metavar="RISK", help="low, medium, high or emergency.")] = None,
    found_by: Annotated[
        str, Option(metavar="HOW", help="How the case was identified: self, school, police, referral, …")
    ] = "self",
    worker: Annotated[str | None, Option(metavar="NAME", help="The worker (default: you).")] = None,
    more: More = None,
    note: Note = None,
) -> None:
    """Open a person's case; on a terminal a form asks for missing values. If nothing is missing, it is registered at once.

    Example: fieldsync case open JBL-AK-7 --type child --concern dropout --risk medium --found-by school
    """
    from fieldsync.casework import cases

    given = {"case_type": kind, "risk": risk, "found_by": found_by, "worker": worker}
    asking = record_forms.lacking(ctx, {"--type": kind, "--concern": concern, "--risk": risk})
    with opened(ctx, lasting=asking) as node:
        changes = _changes(node, cases.CASE, given, more, put={"concerns": concern or []})
        if asking:
            owner = _record_id(node, person)
            first = {**_known(changes), "person": owner}
            usual = {"opened_on": node.today(), "worker": node.person}
            if found_by == "self":  # the default: the form asks
                del first["found_by"]

            def store(asked: "Changes") -> bytes:
                return cases.open_case(node, owner, asked, note=note)

            _show_case(ctx, node, record_forms.ask_for(ctx, node, cases.CASE, first, store, about=owner, usual=usual))
        else:
            _show_case(ctx, node, cases.open_case(node, person, changes, note=note))


def assess(
    ctx: typer.Context,
    case: Case,
    *,
    risk: Annotated[
        str | None, Option(metavar="RISK", help="The assessed risk: low, medium, high or emergency.")
    ] = None,
    answers: Annotated[str | None, Option(metavar="TEXT", help="The findings.")] = None,
    kind: Annotated[str, Option(metavar="KIND", help="initial, full, review, home_visit or closing.")] = "initial",
    more: More = None,
    note: Note = None,
) -> None:
    """Save an assessment of the case's person and submit it; a registered case becomes assessed. On a terminal a form opens.

    Example: fieldsync case assess JBL-AK-9 --risk high --answers "sleeps at a neighbour's" --set fcs_staples=7
    """
    from fieldsync.casework import cases

    asking = record_forms.lacking(ctx, {"--risk": risk, "--answers": answers})
    with opened(ctx, lasting=asking) as node:
        changes = _changes(node, cases.ASSESSMENT, {"risk": risk, "answers": answers, "kind": kind}, more)
        if asking:
            of, subject = _case_and_person(node, case)
            first = {**_known(changes), "case": of, "subject": subject}
            usual = {"done_on": node.today(), "done_by": node.person}
            if kind == "initial":  # the default: the form asks
                del first["kind"]

            def store(asked: "Changes") -> bytes:
                return cases.save_assessment(node, of, asked, note=note)

            _show_case(
                ctx, node, record_forms.ask_for(ctx, node, cases.ASSESSMENT, first, store, about=of, usual=usual)
            )
        else:
            _show_case(ctx, node, cases.save_assessment(node, case, changes, note=note))


def plan(
    ctx: typer.Context,
    case: Case,
    *,
    goal: Annotated[str | None, Option(metavar="TEXT", help="The goal of the plan.")] = None,
    review: Annotated[str | None, Option(metavar="DATE", help="The date of the plan's review.")] = None,
    step: Annotated[
        list[str] | None,
        Option(metavar="ACTION;SERVICE;DUE[;WHO]", help="A step: action, service, deadline, worker (default: you)."),
    ] = None,
    agreed: Annotated[
        list[str] | None,
        Option(
            "--agreed-with",
            metavar="PERSON",
            help="The person who agreed (default: the case's person).",
            autocompletion=completion.codes,
        ),
    ] = None,
    more: More = None,
    note: Note = None,
) -> None:
    """Save the individual plan of a case with its steps, and request its approval; on a terminal forms ask for plan and steps.

    Example: fieldsync case plan JBL-AK-9 --goal "back at school" --review 2026-12-01 --step "enrol him;education;2026-11-20"
    """
    from fieldsync.casework import cases

    asking = record_forms.lacking(ctx, {"--goal": goal, "--review": review})
    with opened(ctx, lasting=asking) as node:
        changes = _changes(
            node, cases.PLAN, {"goal": goal, "review_on": review}, more, put={"agreed_with": agreed} if agreed else {}
        )
        items = [_step(node, one) for one in step or ()]
        if asking:
            of, subject = _case_and_person(node, case)
            first = {**_known(changes), "case": of}
            usual = {"starts_on": node.today(), "agreed_with": [subject]}

            def store(asked: "Changes") -> bytes:
                return cases.save_plan(node, of, asked, items, note=note)

            made = record_forms.ask_for(ctx, node, cases.PLAN, first, store, about=of, usual=usual)
            _ask_steps(ctx, node, made)
            _show_case(ctx, node, made)
        else:
            _show_case(ctx, node, cases.save_plan(node, case, changes, items, note=note))


def advance(
    ctx: typer.Context,
    case: Case,
    to: Annotated[str | None, Option(metavar="STATE", help="A state other than the next one of the lifecycle.")] = None,
    note: Note = None,
) -> None:
    """Advance a case to its next state.

    Example: fieldsync case advance JBL-AK-9
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.advance_case(node, case, to, note=note))


_What = Annotated[bool, Option("--plan", help="The plan, if approval of both is requested.")]
_Closure = Annotated[bool, Option("--closure", help="The closure, if approval of both is requested.")]


def approve(
    ctx: typer.Context, case: Case, *, plan: _What = False, closure: _Closure = False, note: Note = None
) -> None:
    """Approve a case's plan with its assessments, or its closure, which closes the case.

    Example: fieldsync case approve JBL-AK-9 --note "good plan"
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.approve_request(node, case, _requested_part(plan=plan, closure=closure), note=note))


def send_back(
    ctx: typer.Context,
    case: Case,
    *,
    comment: Annotated[str, Option(metavar="TEXT", help="The action requested.")],
    plan: _What = False,
    closure: _Closure = False,
) -> None:
    """Return a plan or a closure to its worker, with a comment.

    Example: fieldsync case return JBL-AK-9 --comment "name the school"
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.send_back(node, case, comment, _requested_part(plan=plan, closure=closure)))


def close(
    ctx: typer.Context,
    case: Case,
    *,
    reason: Annotated[str, Option(metavar="REASON", help="goals_met, moved, refused, lost_contact, adult, died, …")],
    note: Note = None,
) -> None:
    """Request a case's closure; a supervisor's `case approve` closes it.

    Example: fieldsync case close JBL-AK-9 --reason goals_met
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.request_closure(node, case, reason, note=note))


def reopen(
    ctx: typer.Context, case: Case, *, reason: Annotated[str, Option(metavar="TEXT", help="The reason for reopening.")]
) -> None:
    """Reopen a closed case; it counts how often that happened.

    Example: fieldsync case reopen JBL-AK-9 --reason "he has left school again"
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.reopen_case(node, case, reason))


def transfer(
    ctx: typer.Context,
    case: Case,
    *,
    worker: Annotated[str | None, Option(metavar="NAME", help="The new worker.")] = None,
    unit: Annotated[
        str | None,
        Option(
            metavar="UNIT",
            help="The receiving unit: the family moves there, with all that belongs to it.",
            autocompletion=completion.units,
        ),
    ] = None,
    note: Note = None,
) -> None:
    """Hand a case to another worker, or with its family to another unit, where it awaits acceptance.

    Example: fieldsync case transfer JBL-AK-9 --worker Basim
    """
    from fieldsync.casework import cases

    with opened(ctx) as node:
        _show_case(ctx, node, cases.transfer_case(node, case, worker=worker, unit=unit, note=note))


# --- parts ------------------------------------------------------------------------------------------------------------


def _changes(
    node: "Node",
    type: str,
    given: dict[str, Any],
    more: "Sequence[str] | None",
    put: dict[str, list[str]] | None = None,
) -> "Changes":
    from fieldsync.commands.support.change_arguments import pairs
    from fieldsync.replica.change_builder import ChangeBuilder

    wanted = ChangeBuilder(node, node.schema.type(type), {})
    for name, value in given.items():
        if value is not None:
            wanted.set_value(name, value)
    for name, members in (put or {}).items():
        wanted.add_members(name, members)
    for name, values in pairs(more or ()).items():
        wanted.set_value(name, values[-1])
    return wanted.build_changes()


def _ask_steps(ctx: typer.Context, node: "Node", plan: bytes) -> None:
    """Ask for the steps of a plan, one after the other, until there is no more."""
    from fieldsync.api import Session
    from fieldsync.casework.cases import ITEM
    from fieldsync.core import record_ids
    from fieldsync.replica.changes import Changes

    of = {"plan": record_ids.id_text(plan), "status": "open"}

    def store(asked: Changes) -> bytes:
        step = Changes(set={**asked.set, **of}, put=asked.put, say=asked.say)
        return record_ids.from_text(Session(node).add(ITEM, step).id)

    while tables(ctx).agrees("plan_step_more"):
        record_forms.ask_for(ctx, node, ITEM, of, store, about=of["plan"], usual={"responsible": node.person})


def _known(changes: "Changes") -> dict[str, object]:
    """Return command-line values as answers of a form."""
    plain = {name: value for name, value in changes.set.items() if value is not None}
    return plain | {name: list(members) for name, members in changes.put.items() if members}


def _record_id(node: "Node", ref: str) -> str:
    """Return the id of a record. NoRecord, Ambiguous."""
    from fieldsync.api import Session

    return Session(node).show(ref).id


def _case_and_person(node: "Node", ref: str) -> tuple[str, str]:
    """Return the ids of a case and its person. NoRecord, Ambiguous, IllegalValue if it is not a case."""
    from fieldsync.api import Session
    from fieldsync.casework.cases import CASE

    found = Session(node).show(ref)
    if found.type != CASE:
        raise errors.IllegalValue(type=found.type, field="case", reason="wrong_type", to=[CASE])
    return found.id, str(found.fields.get("person") or "")


def _step(node: "Node", text: str) -> dict[str, object]:
    from fieldsync.casework.cases import ITEM
    from fieldsync.replica import value_reader

    parts = [part.strip() for part in text.replace("؛", ";").split(";")]
    if len(parts) not in {3, 4} or not all(parts):
        raise errors.Usage(reason="plan_step")
    kind = node.schema.type(ITEM)
    return {
        name: value_reader.reader_for_typing(node).read_value(kind.field(name), part)
        for name, part in zip(("action", "service_type", "due_on", "responsible"), parts, strict=False)
    }


def _requested_part(*, plan: bool, closure: bool) -> str | None:
    return "plan" if plan and not closure else "closure" if closure and not plan else None


def _show_case(ctx: typer.Context, node: "Node", record: bytes) -> None:
    from fieldsync.api import Session

    found = Session(node).show(record.hex())
    tell(ctx, found, lambda out: out.saved(node, found))

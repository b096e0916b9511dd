"""Household events: births, deaths, moves, marriages and splits are reported, then verified."""

from collections.abc import Sequence
from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync.commands import opened, tell
from fieldsync.commands.records import Note
from fieldsync.commands.support import completion

Household = Annotated[
    str,
    Argument(
        metavar="HOUSEHOLD",
        help="The family: its id, its code, or a beginning of either.",
        autocompletion=completion.codes,
    ),
]
Person = Annotated[
    str,
    Argument(
        metavar="PERSON", help="The person: an id, a code, or a beginning of either.", autocompletion=completion.codes
    ),
]
On = Annotated[str | None, Option(metavar="DATE", help="The date of the event, such as 31/10/2026 (default: today).")]
Evidence = Annotated[str | None, Option(help="The source of the information: document, witness, self or registry.")]


def _report(
    ctx: typer.Context,
    kind: str,
    household: str,
    fields: dict[str, str | None],
    *,
    on: str | None,
    evidence: str | None,
    note: str | None,
    members: Sequence[str] = (),
) -> None:
    from fieldsync.api import Session
    from fieldsync.casework import household_events
    from fieldsync.replica import value_reader

    with opened(ctx) as node:
        of_event = node.schema.type(household_events.EVENT)
        given = fields | {"event_date": on, "evidence": evidence}
        named = {
            name: value_reader.reader_for_typing(node).read_value(of_event.field(name), value)
            for name, value in given.items()
            if value is not None
        }
        event = household_events.report_event(node, kind, household, named, members=members, note=note)
        found = Session(node).show(event.hex())
        tell(ctx, found, lambda out: out.saved(node, found))


def birth(
    ctx: typer.Context,
    household: Household,
    *,
    name: Annotated[str, Option(help="The child's given name.")],
    sex: Annotated[str, Option(help="f or m.")],
    on: On = None,
    mother: Annotated[
        str | None,
        Option(metavar="PERSON", help="The mother, if she is registered.", autocompletion=completion.codes),
    ] = None,
    evidence: Evidence = None,
    note: Note = None,
) -> None:
    """Report a birth; the child is registered when it is verified.

    Example: fieldsync household birth JBL-AK-42 --name ليلى --sex f --on 2026-11-02
    """
    fields = {"child_name": name, "child_sex": sex, "mother": mother}
    _report(ctx, "birth", household, fields, on=on, evidence=evidence, note=note)


def death(
    ctx: typer.Context,
    household: Household,
    person: Person,
    *,
    on: On = None,
    evidence: Evidence = None,
    note: Note = None,
) -> None:
    """Report a death.

    Example: fieldsync household death JBL-AK-42 JBL-AK-43 --on 2026-11-02 --evidence document
    """
    _report(ctx, "death", household, {"person": person}, on=on, evidence=evidence, note=note)


def move(
    ctx: typer.Context,
    household: Household,
    *,
    to: Annotated[
        str, Option(metavar="PLACE", help="The family's new place: a place's name or code, or a description.")
    ],
    from_: Annotated[
        str | None, Option("--from", metavar="PLACE", help="The family's former place (default: as registered).")
    ] = None,
    on: On = None,
    evidence: Evidence = None,
    note: Note = None,
) -> None:
    """Report that a family moved to another place. If that is in another unit, `fieldsync move` transfers its record there.

    Example: fieldsync household move JBL-AK-42 --to القرداحة --on 2026-11-02
    """
    from fieldsync.api import Session

    if from_ is None:
        with opened(ctx) as node:
            from_ = Session(node).show(household).fields.get("location")
    _report(ctx, "move", household, {"from_location": from_, "to_location": to}, on=on, evidence=evidence, note=note)


def marry(
    ctx: typer.Context,
    household: Household,
    person: Person,
    *,
    into: Annotated[
        str | None,
        Option(metavar="HOUSEHOLD", help="The person's new family.", autocompletion=completion.codes),
    ] = None,
    relation: Annotated[str | None, Option(help="The relationship to the head there (default: spouse).")] = None,
    on: On = None,
    evidence: Evidence = None,
    note: Note = None,
) -> None:
    """Report a marriage and the person's new family.

    Example: fieldsync household marry JBL-AK-42 JBL-AK-44 --into JBL-AK-90
    """
    fields = {"person": person, "other_household": into, "relation": relation}
    _report(ctx, "marriage", household, fields, on=on, evidence=evidence, note=note)


def split(
    ctx: typer.Context,
    household: Household,
    members: Annotated[
        list[str], Argument(metavar="PERSON...", help="The members of the new family; the first is its head.")
    ],
    *,
    on: On = None,
    evidence: Evidence = None,
    note: Note = None,
) -> None:
    """Report that some members form a family of their own, which is created on verification.

    Example: fieldsync household split JBL-AK-42 JBL-AK-44 JBL-AK-45
    """
    _report(ctx, "split", household, {"person": members[0]}, on=on, evidence=evidence, note=note, members=members)


def verify(
    ctx: typer.Context,
    event: Annotated[
        str, Argument(metavar="EVENT", help="A household event that was reported.", autocompletion=completion.codes)
    ],
    *,
    anyway: Annotated[
        bool, Option("--anyway", help="Verify although another birth near that day is verified: twins.")
    ] = False,
    note: Note = None,
) -> None:
    """Verify an event: updates memberships, people's households and deaths, in one save.

    Example: fieldsync household verify JBL-AK-51
    """
    from fieldsync.api import Session
    from fieldsync.casework import household_events

    with opened(ctx) as node:
        record = household_events.verify_event(node, event, anyway=anyway, note=note)
        found = Session(node).show(record.hex())
        tell(ctx, found, lambda out: out.saved(node, found))

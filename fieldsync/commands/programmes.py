"""Programmes and eligibility for them."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument

from fieldsync.commands import opened, tell
from fieldsync.commands.support import completion

if TYPE_CHECKING:
    from fieldsync.ui.views.tables import Tables


def eligible(
    ctx: typer.Context,
    record: Annotated[
        str,
        Argument(
            metavar="RECORD",
            help="A person or a household: an id, a code, or a beginning of either.",
            autocompletion=completion.codes,
        ),
    ],
) -> None:
    """Show the programmes that a person or family is eligible for, by each programme's own rule; a supervisor decides.

    Example: fieldsync eligible JBL-AK-42
    """
    from fieldsync.casework import eligibility

    with opened(ctx) as node:
        found = eligibility.list_eligibility(node, record)

        def picture(out: "Tables") -> None:
            from fieldsync.ui.views import eligibility_view

            eligibility_view.eligible(out, node, found)

        tell(ctx, found, picture)

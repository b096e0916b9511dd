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
    """Show which programmes a person or family fits, by each programme's own rule; deciding is a supervisor's step.

    Example: fieldsync eligible JBL-AK-42
    """
    from fieldsync.casework import eligibility

    with opened(ctx) as node:
        found = eligibility.list_eligibility(node, record)

        def picture(out: "Tables") -> None:
            from fieldsync.ui.views import eligibility_view

            eligibility_view.eligible(out, node, found)

        tell(ctx, found, picture)

"""The overview: the output of `fieldsync` without arguments."""

from typing import Annotated

import typer
from msgspec import Struct
from typer import Option

from fieldsync import __version__
from fieldsync.commands import opened, settings_of, tell


class NoStore(Struct, frozen=True):
    """The document where there is no store: how to begin."""

    store: None = None
    next: tuple[str, ...] = ("join", "demo")


class Version(Struct, frozen=True):
    """The version of fieldsync."""

    fieldsync: str


def standing(
    ctx: typer.Context,
    *,
    version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Show where one stands: what is due, unsent and in conflict, the last sync, and what to do next.

    Example: fieldsync
    """
    if version:
        tell(ctx, Version(__version__), lambda out: out.line(f"fieldsync {__version__}"))
        return
    from fieldsync.ui.views import overview as pictures

    settings = settings_of(ctx)
    if not (settings.folder / "slots.json").exists():
        tell(ctx, NoStore(), lambda out: pictures.begin(out, str(settings.folder)))
        return
    from fieldsync.ui.views import status_facts

    with opened(ctx) as node:
        found = status_facts.overview(node, settings.language)
        tell(ctx, found, lambda out: pictures.stands(out, found, node.schema, laptop=node.is_laptop))

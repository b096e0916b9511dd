"""Where one stands: what `fieldsync` alone says."""

from typing import Annotated, Any

import typer
from typer import Option

from fieldsync import __version__
from fieldsync.commands import opened, settings_of, tell


def standing(
    ctx: typer.Context,
    *,
    version: Annotated[bool, Option("--version", help="Say which version this is, and end.")] = False,
) -> None:
    """Show where one stands: what is due, unsent and in conflict, the last sync, and what to do next.

    Example: fieldsync
    """
    if version:
        tell(ctx, {"fieldsync": __version__}, lambda out: out.line(f"fieldsync {__version__}"))
        return
    from fieldsync.casework import agenda
    from fieldsync.commands import sync_status
    from fieldsync.ui.views import overview as pictures

    if not (settings_of(ctx).folder / "slots.json").exists():
        found: dict[str, Any] = {"store": None, "next": ["join", "demo"]}
        tell(ctx, found, lambda out: pictures.begin(out, str(settings_of(ctx).folder)))
        return
    with opened(ctx) as node:
        told = sync_status.status(node, settings_of(ctx).language)
        due = agenda.due(node, until=node.today()) if node.is_laptop else []
        found = told | {"due": len(due), "late": sum(one.days > 0 for one in due), "aside": len(told["refused"])}
        found["next"] = _next(found, laptop=node.is_laptop)
        tell(ctx, found, lambda out: pictures.stands(out, found, node.schema, laptop=node.is_laptop))


def _next(found: dict[str, Any], *, laptop: bool) -> list[str]:
    """Return what to do, the most urgent first."""
    from fieldsync.core.grants import DECIDERS

    wanted = {
        "status": found["aside"],
        "review": (found["conflicts"] and found["role"] in DECIDERS) or found["duplicates"] or found["overlaps"],
        "agenda": found["due"],
        "sync": laptop and (found["unsent"] or not found["last_sync"]),
    }
    return [name for name, there in wanted.items() if there] or ["add" if laptop else "devices"]

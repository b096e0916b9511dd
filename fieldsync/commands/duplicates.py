"""Duplicates: candidate pairs, and a supervisor's decisions about them."""

from typing import Annotated, Any

import typer
from msgspec.structs import replace
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import asks, bar, opened, tables, tell
from fieldsync.commands.records import Note, Record, Yes
from fieldsync.commands.review import Type, Unit, chosen_type
from fieldsync.commands.support import completion

Stays = Annotated[
    str,
    Argument(
        metavar="A",
        help="The record that is kept: its id, its code, or a beginning of either.",
        autocompletion=completion.codes,
    ),
]
Gives = Annotated[
    str, Argument(metavar="B", help="The record that is merged into it.", autocompletion=completion.codes)
]
Other = Annotated[str, Argument(metavar="B", help="The other record.", autocompletion=completion.codes)]
Weak = Annotated[bool, Option("--weak", help="Include less likely ones.")]


def duplicates(ctx: typer.Context, unit: Unit = None, type_: Type = None, *, weak: Weak = False) -> None:
    """List possible duplicates, the likeliest first. Nothing is merged unless a supervisor says so.

    Example: fieldsync duplicates list --type person
    """
    from fieldsync.review import duplicate_pairs as pairs
    from fieldsync.ui.views import duplicate_view as pictures

    with opened(ctx) as node:
        type_ = chosen_type(node, type_)
        with bar(ctx) as progress:
            found = pairs.list_pairs(node, unit=unit, type=type_, weak=weak, progress=progress)
        tell(ctx, found, lambda out: pictures.listed(out, node, found))


def scan(ctx: typer.Context) -> None:
    """Compare all records again, as after an update of fieldsync.

    Example: fieldsync duplicates scan
    """
    from fieldsync.review import duplicate_pairs as pairs

    with opened(ctx) as node:
        with bar(ctx) as progress:
            found = pairs.scan_duplicates(node, progress=progress)
        tell(ctx, found, lambda out: out.say("pairs_scanned", n=found.compared, pairs=found.pairs))


def show(ctx: typer.Context, a: Record, b: Other) -> None:
    """Show two records side by side, with the likelihood of a duplicate and the reasons.

    Example: fieldsync duplicates show JBL-AK-7 JBL-BH-12
    """
    from fieldsync.review import duplicate_pairs as pairs
    from fieldsync.ui.views import duplicate_view as pictures

    with opened(ctx) as node:
        found = pairs.show_pair(node, a, b)
        tell(ctx, found, lambda out: pictures.draw_pair(out, node, found))


def merge(ctx: typer.Context, a: Stays, b: Gives, note: Note = None) -> None:
    """Merge two records: A stays, B is merged into it. Every value and reference is kept, and split undoes it.

    Example: fieldsync duplicates merge JBL-AK-7 JBL-BH-12 --note "same booklet"
    """
    from fieldsync.review import duplicate_pairs as pairs

    with opened(ctx) as node:
        pairs.merge_records(node, a, b, note=note)
        _show_pair(ctx, node, a, b, "pairs_merged")


def split(ctx: typer.Context, a: Record, b: Other, note: Note = None) -> None:
    """Undo a merge, however long ago it was: both records are separate again.

    Example: fieldsync duplicates split JBL-AK-7 JBL-BH-12
    """
    from fieldsync.review import duplicate_pairs as pairs

    with opened(ctx) as node:
        pairs.split_records(node, a, b, note=note)
        _show_pair(ctx, node, a, b, "pairs_split")


def not_same(ctx: typer.Context, a: Record, b: Other, note: Note = None) -> None:
    """Mark two records as different; the pair is offered again only if new evidence arrives.

    Example: fieldsync duplicates not-same JBL-AK-7 JBL-BH-12 --note "cousins"
    """
    from fieldsync.review import duplicate_pairs as pairs

    with opened(ctx) as node:
        pairs.mark_distinct(node, a, b, note=note)
        _show_pair(ctx, node, a, b, "pairs_apart")


def bulk(
    ctx: typer.Context,
    type_: Annotated[str, Option("--type", metavar="TYPE", help="The record type.", autocompletion=completion.types)],
    *,
    score: Annotated[int, Option(metavar="PERCENT", help="The minimum likelihood of a duplicate, in percent.")] = 95,
    unit: Unit = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be merged, without merging anything.")] = False,
    note: Note = None,
    yes: Yes = False,
) -> None:
    """Merge all pairs above a score, if such pairs were always merged in individual review.

    On a terminal they are shown first.

    Example: fieldsync duplicates bulk --type person --score 95 --dry-run
    """
    from fieldsync.review import duplicate_bulk as pairs
    from fieldsync.ui.views import duplicate_view as pictures

    if not 50 <= score <= 100:
        raise errors.Usage(reason="score")
    with opened(ctx) as node:
        type_, least = str(chosen_type(node, type_)), score / 100
        with bar(ctx) as progress:
            found = pairs.mergeable_pairs(node, type_, least, unit=unit, progress=progress)
        past = pairs.past_pairs(node, type_, least)
        told = pairs.BulkMerge(type_, least, past, 0, dry_run=True, pairs=found)
        asked = bool(not dry_run and found and asks(ctx, yes=yes))
        if asked:
            out = tables(ctx)
            pictures.merged_together(out, node, told)
            if not out.agrees("bulk_sure"):
                out.say("nothing_merged")
                return
        if not dry_run:
            done = pairs.merge_pairs(node, found, note=note).pairs
            told = replace(told, merged=len(done), dry_run=False, pairs=done)
        tell(ctx, told, lambda out: pictures.merged_together(out, node, told, known=asked))


def _show_pair(ctx: typer.Context, node: Any, a: str, b: str, said: str) -> None:
    """Show the two as they are now, and what it means."""
    from fieldsync.review import duplicate_pairs as pairs
    from fieldsync.ui.views import duplicate_view as pictures

    found = pairs.show_pair(node, a, b)
    tell(ctx, found, lambda out: pictures.decided(out, node, found, said))

"""The bulk load of an old register into a server."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from fieldsync.commands import bar, opened, settings_of, tell


def load(
    ctx: typer.Context,
    file: Annotated[Path, Argument(metavar="FILE", help="A file of JSON lines, each a group of records.")],
) -> None:
    """Load an old register into this server: JSON lines, each a household with its persons, say.

    What cannot be loaded is written beside the file, with the reason. A load that was cut off goes on where it was, by the same command.
    docs/scale.md has the format.

    Example: fieldsync server load register.jsonl
    """
    from fieldsync.exchange import bulk_load
    from fieldsync.ui.terminal import messages

    language = settings_of(ctx).language
    with opened(ctx) as node, bar(ctx) as progress:
        schema = node.schema
        loaded = bulk_load.load_file(
            node, file, lambda fault: messages.explain_error(fault, language, schema)[0], progress
        )
    tell(
        ctx, loaded, lambda out: out.say(
            "loaded_some" if loaded.rejected else "loaded", records=f"{loaded.records:,}", rejected=loaded.rejected, file=loaded.file,
        ),
    )  # fmt: skip

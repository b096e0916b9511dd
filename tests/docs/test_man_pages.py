"""Manual pages: made from the commands' help, one for each command, and nothing in them is a request by accident."""

import re

from docs import generate, man_pages
from fieldsync.cli import COMMANDS

REQUESTS = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".BR", ".RS", ".RE", ".nf", ".fi"}


def test_every_command_has_its_page() -> None:
    """And the program one of its own, with the exit codes."""
    pages = man_pages.man_pages(generate.exit_codes())
    assert set(pages) == {"fieldsync.1", *(f"fieldsync-{name}.1" for name in COMMANDS.commands)}
    assert "a person must decide first" in pages["fieldsync.1"]
    assert "fieldsync case \\-\\-help" not in pages["fieldsync-case.1"]
    for text in pages.values():
        requests = set(re.findall(r"^[.'][^ \n]*", text, re.MULTILINE))
        assert requests <= REQUESTS
        assert text.count(".SH NAME") == 1


def test_options_and_examples_are_those_of_the_help() -> None:
    """A command's options with what they mean, and those of the commands below a group."""
    pages = man_pages.man_pages({})
    assert ".B \\-\\-stay\\-open\nOpen the form for the next record, until you stop." in pages["fieldsync-add.1"]
    assert '.SS "fieldsync review take"' in pages["fieldsync-review.1"]
    assert "fieldsync review take JBL\\-AK\\-42 location \\-\\-head AK:17" in pages["fieldsync-review.1"]

"""The search before a new record, line by line, for terminals without a full screen."""

from typing import NamedTuple

from fieldsync.core import names
from fieldsync.replica.node import Node
from fieldsync.review import registered_already
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Type
from fieldsync.ui.views import duplicate_view
from fieldsync.ui.views.record_card import INDENT
from fieldsync.ui.views.tables import Tables

_MOST = 8


class SearchedFirst(NamedTuple):
    """The words that were looked for, and the record that is to be opened in place of a new one."""

    text: str
    record: str | None = None


def ask_first(out: Tables, node: Node, kind: Type) -> SearchedFirst:
    """Search until the user opens a result or wants a new record; KeyboardInterrupt cancels."""
    out.use_node(node)
    try:
        return _ask_words(out, node, kind)
    except KeyboardInterrupt:
        out.say("form_given_up")
        raise


def _ask_words(out: Tables, node: Node, kind: Type) -> SearchedFirst:
    out.say("search_first", name=label_in(kind.label, out.lang, kind.name))
    out.say("search_how")
    text = out.ask(out.phrase("search_words") + " ").strip()
    while text:
        found = registered_already.find_registered(node, kind.name, text, limit=_MOST)
        if not found:
            out.say("search_none")
            return SearchedFirst(text)
        for number, one in enumerate(found, 1):
            out.line(f"{number}  {out.heading(kind, one)}")
            out.line(INDENT * 2 + duplicate_view.short_reasons(out, kind, one.reasons))
        answer = out.ask(out.phrase("search_which") + " ").strip()
        chosen = names.strip_invisible(answer)
        if not answer:
            return SearchedFirst(text)
        if chosen.isdecimal() and 1 <= int(chosen) <= len(found):
            return SearchedFirst(text, found[int(chosen) - 1].id)
        text = answer  # other words
    return SearchedFirst(text)

"""The keys of the review screen: bindings, the list under `?` and the command palette, from one table."""

from typing import NamedTuple

from textual.binding import Binding, BindingType

from fieldsync.ui.terminal.messages import phrase


class ReviewKey(NamedTuple):
    """A key of the review: its display, all bound keys, the action, the key of its text.

    word: the key of the one word under the screen, where there is one.
    """

    shown: str
    bound: str
    action: str
    words: str
    word: str = ""


KEYS = (
    ReviewKey("1-9", "", "", "review_do_take_side", "key_take"),
    ReviewKey("← →", "", "", "review_do_mark"),
    ReviewKey("Enter", "enter", "take", "review_do_take"),
    ReviewKey("e", "e,ث,t,ف", "edit", "review_do_edit", "key_edit"),
    ReviewKey("n", "n,ى", "note", "review_do_note", "key_note"),
    ReviewKey("s ↓", "down,j,ت,s,س,space", "go(1)", "review_do_skip", "key_skip"),
    ReviewKey("↑", "up,k,ن", "go(-1)", "review_do_back"),
    ReviewKey("Home", "ctrl+home,home", "go(-1000000)", "review_do_first"),
    ReviewKey("End", "ctrl+end,end", "go(1000000)", "review_do_last"),
    ReviewKey("r", "r,ق", "send_back", "review_do_return"),
    ReviewKey("u", "u,ع", "undo", "review_do_undo", "key_undo"),
    ReviewKey("h", "h,ا", "history", "review_do_history", "key_history"),
    ReviewKey("o", "o,خ", "open_linked", "review_do_open", "key_open"),
    ReviewKey("f", "f,ب", "filter", "review_do_filter", "key_filter"),
    ReviewKey("a", "a,ش", "alike", "review_do_alike", "key_alike"),
    ReviewKey("PgDn", "pagedown", "scroll(8)", "review_do_down"),
    ReviewKey("PgUp", "pageup", "scroll(-8)", "review_do_up"),
    ReviewKey("Ctrl-P", "ctrl+p", "palette", "review_do_palette"),
    ReviewKey("?", "question_mark,؟", "help", "review_do_help", "key_help"),
    ReviewKey("q", "q,ض", "quit", "review_do_quit", "key_quit"),
    ReviewKey("Esc", "escape", "leave", "review_do_leave"),
)

BINDINGS: list[BindingType] = [
    *(Binding(one.bound, one.action, show=False) for one in KEYS if one.bound),
    Binding("right,tab", "side(1)", show=False),
    Binding("left,shift+tab", "side(-1)", show=False),
]


def key_texts(lang: str, *, callable_only: bool = False) -> list[tuple[ReviewKey, str]]:
    """Return each key with its action, one per line."""
    return [(one, f"{one.shown.ljust(7)} {phrase(one.words, lang)}") for one in KEYS if one.action or not callable_only]

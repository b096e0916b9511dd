"""The review screen."""

WORDS = {
    "review_title": "Review",
    "open_edit": "In conflict: an edit stands beside these values and replaces your own only; a supervisor decides.",
    "open_edit_decider": (
        "In conflict: an edit is one more value and ends nothing. To decide: fieldsync review take {record} FIELD"
    ),
    "open_field": "⚠ In conflict: {values}. What you write stands beside them until a supervisor decides.",
    "review_decided": "decided: {n}",
    "review_why": "Written in two places by people who did not know of each other.",
    "review_why_clock": "A clock was wrong, so nobody knows which of these is newer.",
    "review_why_state": "The states have parted: none of them leads to the other.",
    "review_why_once": "May be written once, and was written differently.",
    "review_why_deleted": "Removed by one, changed meanwhile by another who did not know.",
    "review_why_unit": "Moved to different units: it is in each of them until this is settled.",
    "review_why_same_as": "People disagree whether these two are one.",
    "review_why_same_as_removed": "It was merged into a record that was removed by somebody who did not know of the merge.",
    "review_stands": "it stays",
    "review_emptied": "emptied",
    "review_stays": "Keep the record",
    "review_edited": "It was changed meanwhile:",
    "review_removed": "Remove it:",
    "review_more": "and {n} more",
    "review_rule_newest": "The newest value",
    "review_rule_oldest": "The oldest value",
    "review_rule_person": "What {person} wrote",
    "review_note_title": "Why? Whoever reads the history sees this.",
    "review_alike": "{field}: decide {n} alike. By which rule?",
    "review_preview": "{rule}: {n} will be decided. Left out: {out}.",
    "review_gone": "Settled meanwhile by somebody else: {n}.",
    "review_changed": "Another value has come in meanwhile: look again.",
    "review_looking": "looking for pairs …",
    "bar_deciding": "Deciding",
    "review_bulk": "✓ Decided: {n}. u takes all of it back.",
    "review_filter": "Show only …",
    "review_all": "Everything ({n})",
    "review_by_type": "Type: {name} ({n})",
    "review_by_field": "Field: {name} ({n})",
    "review_by_unit": "Unit: {name} ({n})",
    "review_filtered_empty": "Nothing is open here. f shows the rest.",
    "review_help": (
        "1-9   take that value; 0 the one before\n"
        "← →   mark a side, Enter takes it\n"
        "e     type another value\n"
        "n     write a note, saved with the decision\n"
        "s ↓   leave it for later, go on\n"
        "↑     the one before\n"
        "u     take the last decision back\n"
        "h     the record's history\n"
        "f     show only a type, a field, a unit\n"
        "a     decide all of this field alike, with a preview\n"
        "PgUp PgDn   read the record around it\n"
        "q     leave; decisions are saved at once"
    ),
    "their_clock_ahead": "clock {much} ahead",
    "their_clock_behind": "clock {much} behind",
    "key_take": "take",
    "key_edit": "edit",
    "key_note": "note",
    "key_skip": "skip",
    "key_undo": "undo",
    "key_history": "history",
    "key_filter": "filter",
    "key_alike": "all alike",
    "key_help": "help",
    "key_quit": "quit",
    "key_ok": "accept",
    "key_leave": "back",
    "key_close": "close",
    "key_choose": "choose",
    "key_scroll": "read on",
    "key_decide_all": "decide all of these",
}

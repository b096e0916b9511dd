"""Texts of overlaps."""

WORDS = {
    "overlaps_none": "No overlaps are known here.",
    "overlaps_n": "{n} to settle: fieldsync overlaps drop RECORD --reason TEXT, or fieldsync overlaps both A B",
    "overlap_known": "⚠ {what}, as far as is known here: {side}",
    "overlap_by": "entered by {by}, {at}",
    "overlap_both": "{a} and {b} are both right.",
}

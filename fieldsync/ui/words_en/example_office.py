"""Texts of `demo --office`."""

WORDS = {
    "bar_office": "Working through a year",
    "usage.tree_or_office": "The demo tells a story or builds an office.",
    "usage.tree_or_office!": "Give --tree or --office DIR, not both.",
    "bad_file.not_empty": "{file} is there already and not empty; nothing was changed.",
    "bad_file.not_empty!": "Name a folder that is new or empty.",
    "office_built": "✓ A year's work of an invented office, {seconds} s:",
    "office_people": "Its people, each with a laptop of their own (name it with --home):",
    "office_waits": "{conflicts} conflicts, {duplicates} likely duplicates and {overlaps} overlaps of aid wait for a decision.",
    "office_start": "Every store opens with the office's key file. Start the server in a terminal of its own:",
    "office_next": "Then, in another one, as {person}:",
    "column_laptop": "Laptop",
}

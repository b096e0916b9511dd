"""Texts of saving several records together, and warnings about unusual values."""

WORDS = {
    "which": "{which}: ",
    "odd_hint": "Look again at {field}: {hint}.",
    "many_saved": "{n} saved together.",
    "usage.row": "--row takes FIELD=VALUE, several with ; between them.",
}

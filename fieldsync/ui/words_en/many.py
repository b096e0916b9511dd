"""What is said of saves: several records together, what is odd."""

WORDS = {
    "which": "{which}: ",
    "odd_hint": "Look again at {field}: {hint}.",
    "many_saved": "{n} saved together.",
    "usage.row": "--row takes FIELD=VALUE, several with ; between them.",
}

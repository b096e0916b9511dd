"""Texts of branches, bundles, unreliable connections: interrupted joining, receipts, byte budgets, device letters."""

WORDS = {
    "no_store.joining": "Joining from {home} was cut off; nothing is lost.",
    "no_store.joining!": "Join again with the same invite: fieldsync join INVITE.",
    "cut_off.joining": "The connection to {server} was lost before it answered; nothing is lost.",
    "cut_off.joining!": "Join again with the same invite: it goes on where it stopped.",
    "invite_invalid.enrolled": "The server knows this laptop already; the invite was not used.",
    "invite_invalid.enrolled!": "Go on as before: fieldsync sync.",
    "bundled": "in bundle {numbers}",
    "saves": "saves: {n};",
    "saves_here": "{n} only here",
    "saves_in_bundle": "{n} in a bundle on its way",
    "saves_received": "{n} received by {server}",
    "saves_review": "{n} in review",
    "saves_settled": "{n} settled",
    "saves_refused": "{n} quarantined",
    "unchecked": "The two sides differ, and the byte budget is too small to make them equal: run fieldsync sync without --budget.",
    "not_found.upstream": "This server has no upstream server.",
    "not_found.upstream!": "Make it one by an invite for the role branch, from the server above: fieldsync server upstream set INVITE",
    "scheduled_user": "It is this user's own timer: so that it runs while nobody is logged in, once: loginctl enable-linger",
    "health_letters_twice": (
        "two devices have the same letters, so that records may have the same codes; look at them: fieldsync server devices"
    ),
}

"""Words of pairs in review."""

WORDS = {
    "queue_duplicate": "May be one",
    "queue_overlap": "Twice",
    "pair_two": "They are two",
    "pair_two_means": "Nobody is asked about these two again.",
    "pair_stays": "{code} stays",
    "pair_both": "Both are right",
    "pair_both_means": "Nobody is asked about these two again.",
    "pair_too_many": "one too many",
    "review_why_overlap": "A household has this twice, as far as this store knows.",
    "review_pairs_singly": "Pairs are decided one by one.",
    "review_plain_duplicate": "Records that may be one: {n}; see fieldsync duplicates list",
    "review_plain_overlap": "What a household has twice: {n}; see fieldsync overlaps list",
}

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
    "review_pairs_singly": "What a household has twice is decided one by one.",
    "review_merge_preview": "{score} and more: {n} pairs will be merged. Of each the first stays.",
    "review_not_alike": "These are decided one by one",
    "key_merge_all": "merge all of these",
    "review_keys_duplicate": "0 not the same · 1-{n} merge, it stays · n note · s skip · u undo · q quit:",
    "review_keys_overlap": "0 both are right · 1-{n} only it stays · n note · s skip · u undo · q quit:",
    "review_keys__deleted": "0 keep the record · 1-{n} remove it · n note · r ask them · s skip · u undo · q quit:",
    "review_none_narrowed": "Nothing is open among those.",
}

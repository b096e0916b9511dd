"""Words of pairs in review."""

WORDS = {
    "queue_duplicate": "قد يكونان واحداً",
    "queue_overlap": "مكرر",
    "pair_two": "هما اثنان",
    "pair_two_means": "لن يُسأل عنهما أحد بعد ذلك.",
    "pair_stays": "يبقى {code}",
    "pair_both": "كلاهما صحيح",
    "pair_both_means": "لن يُسأل عنهما أحد بعد ذلك.",
    "pair_too_many": "زائدة",
    "review_why_overlap": "لدى الأسرة هذا مرتين، بقدر ما يعرف هذا المخزن.",
    "review_pairs_singly": "تُقرَّر الأزواج واحداً واحداً.",
    "review_plain_duplicate": "سجلات قد تكون واحداً: {n}؛ انظر fieldsync duplicates list",
    "review_plain_overlap": "ما لدى أسرة مرتين: {n}؛ انظر fieldsync overlaps list",
}

"""Texts of programmes and eligibility."""

WORDS = {
    "left_above": "units above {unit}",
    "because.no_rule": "the rule cannot be read at character {at}",
    "because.rule_field": "the rule uses fields that do not exist: {unknown}",
    "eligible_none": "There are no programmes yet. A supervisor adds them: fieldsync add programme",
    "eligible_code": "Code",
    "eligible_name": "Programme",
    "eligible_kind": "Kind",
    "eligible_answer": "Fits",
    "eligible_why": "Note",
    "eligible_yes": "yes",
    "eligible_no": "no",
    "eligible_unknown": "not known",
    "eligible_faulty": "its rule is faulty",
    "eligible_lacks": "missing: {fields}",
    "eligible_excluded": "not together with {code}",
    "eligible_contributory": "contributory",
}

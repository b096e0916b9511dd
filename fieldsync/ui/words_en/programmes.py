"""Programmes and whom they are for."""

WORDS = {
    "left_above": "those above {unit}",
    "because.no_rule": "this is no rule: it cannot be read at character {at}",
    "because.rule_field": "the rule asks for fields that there are not: {unknown}",
    "eligible_none": "There are no programmes here. A supervisor adds them: fieldsync add programme",
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

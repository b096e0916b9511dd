"""Texts of record types' questions, and of household events."""

WORDS = {
    "same_birth": "In this family the birth {other} is verified already, of nearly the same day; nothing was changed.",
    "same_birth!": "If it is the same child: fieldsync edit {event} --set state=rejected. If these are twins: --anyway",
    "form_fault.below_changed": "below was otherwise: every record would go to other people. Leave it as it was",
    "form_fault.above_changed": "above was otherwise: every record would go to other people. Leave it as it was",
    "form_fault.above_whom": "above needs belongs_to: its records go to those above the unit of the record that they belong to",
    "form_fault.belongs_below": "{type} goes to everybody below its unit, and so would all that belongs to it. Make it a root",
    "form_fault.below_and_belongs": "what belongs to another record lives where that does: take below or belongs_to away",
    "form_fault.bad_pattern": "the pattern is not valid, or cannot run in linear time, at character {at}. "
    "Look-around, references to groups, \\b and flags are refused; write it without them",
    "form_fault.formula_circle": "{field} is computed from itself, by way of other fields. Take it out of one formula",
}

"""Texts of faults in forms: the error at a key, and its correction."""

WORDS = {
    "form_fault.bad_country": "{key} is not a country. Write its two capital letters, such as SY",
    "form_fault.bad_default": (
        "{key} is not a value that this field can hold. Write a value that it takes, in quotation "
        "marks, such as default = \"'yes'\""
    ),
    "form_fault.bad_expression": "{key} cannot be read at character {at}. Correct the expression there",
    "form_fault.bad_hashtag": "{key} is not an HXL hashtag. Write one such as #affected+people",
    "form_fault.bad_name": "{key} is not a name that a type, a field or a choice may have. "
    "Take small Latin letters, digits and _, and none of the program's own names",
    "form_fault.bad_version": "{key} is less than 1. Count versions from 1",
    "form_fault.belongs_in_circle": "{key}: through {field}, the type belongs to itself. Choose another owner",
    "form_fault.file_too_large": "the file has more than {limit} characters. Make it smaller",
    "form_fault.key_does_not_fit": "{key} does not fit a field of this type and merge. Take it away",
    "form_fault.merge_does_not_fit": "{key}: {merge} does not fit a field of type {type}. Choose another merge",
    "form_fault.min_over_max": "{key} is larger than max. Exchange them",
    "form_fault.missing_key": "{missing} is missing here ({key}). Add it",
    "form_fault.missing_label": "{key} has no words in the language {missing}. Add them",
    "form_fault.no_choices": "{key} has no choices. Add one, such as yes = {{ en = … }}",
    "form_fault.no_states": "{key} is empty. Add a state, or take the table away",
    "form_fault.not_a_pair": "{key} takes pairs. Write [[one, other]]",
    "form_fault.not_a_ref": "{key} is not a field that names a record. Name a field of type ref that takes one record and no words",
    "form_fault.not_a_table": "{key} is not a table. Write {key} = {{ … }}",
    "form_fault.not_toml": "this line is not TOML. Look for a quotation mark or a bracket that is missing",
    "form_fault.other_language": "{key} has words in {lang}, but the type's label does not. Add {lang} to the label, or take them away",
    "form_fault.out_of_range": "{key} lies outside {min} to {max}. Choose a number between them",
    "form_fault.rename_in_use": "{key}: there is still a field of the old name, {field}. Take the field away, or the rename",
    "form_fault.state_without_states": "{key}: a field of type state is called state, and needs the table [states]",
    "form_fault.states_without_field": "{key} needs a field named state, of type state. Add it",
    "form_fault.too_sensitive": "{key}: {field} is too sensitive for lists and search. Take another field",
    "form_fault.unknown_choice": "{key}: {choice} is not a choice of {field}. It has {known}",
    "form_fault.unknown_choices": "{key} names a list that choices.toml does not have. It has {known}",
    "form_fault.unknown_field": "{key}: there is no field {field}. There are {known}",
    "form_fault.unknown_key": "{key} is not a key that may stand here. There are {known}",
    "form_fault.unknown_section": "{key} names a section that is not there. There are {known}",
    "form_fault.unknown_state": "{key}: there is no state {state}. There are {known}",
    "form_fault.unknown_type": "{key}: there is no record type {type} that fits. There are {known}",
    "form_fault.unknown_value": "{key} cannot be {value}. It may be {known}",
    "form_fault.unreachable_state": "{key} cannot be reached from the first state. Name it in another state's next",
    "form_fault.wrong_kind": "{key} has a value of the wrong kind (text in quotation marks, a number, true or false, a list)",
}

"""The version of this program: on the lowest floor, as nodes tell it to each other."""

VERSION = "0.2.0"

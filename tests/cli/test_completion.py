"""Shell completion: commands, options, types, fields, choices, and data of a store that opens without a prompt."""

import shutil
import subprocess
import sys

import pytest

from tests.cli.conftest import World

ARGS, ACTION, ASKS = "_TYPER_COMPLETE_ARGS", "_TYPER_COMPLETE_FISH_ACTION", "_FIELDSYNC_COMPLETE"


def offered(
    world: World, typed: str, *, who: str = "nobody", words: list[str] | None = None, **environment: str
) -> list[str]:
    """Return what the program offers to bash after these words, of which the last is being typed."""
    words = ["fieldsync", *(typed.split(" ") if words is None else words)]
    asks = {ASKS: "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    before = dict(world.environment)
    world.environment |= asks | environment
    try:
        said = world.here(who)
    finally:
        world.environment = before
    assert said.err == ""
    return said.out.split()


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("sho", "show"),
        ("review ta", "take"),
        ("list househo", "household"),
        ("list household --li", "--limit"),
        ("export househo", "household"),
        ("import x.csv --type househo", "household"),
        ("review list --type househo", "household"),
        ("report mont", "monthly"),
        ("server invite x --role super", "supervisor"),
        ("list أس", "أسرة"),
        ("add household --set family_n", "family_name="),
        ("add household --set housing = te", "tent"),
        ("add household --set housing =", "tent"),
        ("add household --set groups = older,orp", "older,orphan"),
        ("add household --set اسم", "اسم"),
        ("list household --sort regist", "registered_on"),
        ("review list --field loc", "location"),
        ("list household --where housing = te", "tent"),
        ("review approve --kind cl", "closure"),
        ("--lang ", "ar"),
        ("--lang=a", "ar"),
        ("show --rtl lo", "logical"),
        ("--la", "--lang"),
        ("--home somewhere sho", "show"),
    ],
)
def test_the_next_word_is_completed(world: World, typed: str, wanted: str) -> None:
    """As bash asks, which splits FIELD=VALUE into three words and replaces the last; no store is needed."""
    assert wanted in offered(world, typed)


def test_fields_of_the_named_type_are_completed(world: World) -> None:
    """A household's fields only; without a type those of all types."""
    assert offered(world, "add household --set hous") == ["housing=", "housing_damage="]
    assert {"household=", "housing="} <= set(offered(world, "edit JBL-AK-1 --set hous"))


def test_store_data_is_completed_without_a_prompt(world: World) -> None:
    """Codes, a record's fields, own and known units; without a key none of it, and no prompt."""
    code = world.add("amal", "household", family_name="علي")["code"]
    person = world.add("amal", "person", given="هدى")["code"]
    world.start()
    world.json("amal", "sync")
    assert offered(world, f"show {code[:5]}", who="amal") == [code, person]
    assert offered(world, f"edit {person} --set giv", who="amal") == ["given="]
    assert offered(world, f"move {code} --unit LAT/", who="amal") == ["LAT/JBL", "LAT/QRD"]
    assert offered(world, "list household --where unit = LAT/Q", who="amal") == ["LAT/QRD"]
    del world.environment["FIELDSYNC_KEY_FILE"]
    assert offered(world, f"show {code[:5]}", who="amal") == []
    assert "household" in offered(world, "list househ", who="amal")


@pytest.mark.parametrize(
    ("line", "zsh", "fish"),
    [
        ("add household --set housing=te", '"housing=tent"', ["housing=tent"]),
        ("--lang ", '"ar"', ["ar", "en"]),
        ("show --rtl=lo", '"--rtl=logical"', ["--rtl=logical"]),
        ("revie", '"review"', ["review"]),
    ],
)
def test_zsh_and_fish_get_whole_words(world: World, line: str, zsh: str, fish: list[str]) -> None:
    """They send the line as it is; fish first asks whether there are any candidates."""
    world.environment |= {ARGS: f"fieldsync {line}", ASKS: "complete_zsh"}
    assert zsh in world.here("nobody").out
    world.environment |= {ASKS: "complete_fish", ACTION: "get-args"}
    told = [one.partition("\t")[0] for one in world.here("nobody").out.split("\n") if one]
    assert told == fish
    for asked, code in ((line, 0), ("show --home ", 1)):
        world.environment |= {ARGS: f"fieldsync {asked}", ACTION: "is-args"}
        said = world.here("nobody")
        assert (said.out, said.code) == ("", code)


def test_the_bash_script_works(world: World) -> None:
    """It defines a completion function; FIELD= gets no trailing space. An unknown shell is refused."""
    script = world.here("nobody", "completion", "bash").out
    assert "complete " in script
    bash = shutil.which("bash")
    assert bash is not None
    called = f'"{sys.executable}" -m fieldsync "$@"'
    program = world.folder / "fieldsync"
    program.write_text(f"#!{bash}\n{called}\n", "utf-8")
    program.chmod(0o755)
    asked = (
        f'{script}\nfunction compopt {{ echo "$@"; }}\nCOMP_WORDS=(fieldsync add household --set family_n); COMP_CWORD=4\n'
        f'_fieldsync_completion "{program}"; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        [bash, "-c", asked],
        env=world.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=world.folder,
    )
    assert done.stdout.split() == ["-o", "nospace", "family_name="]
    assert world.here("nobody", "completion", "tcsh").code == 2

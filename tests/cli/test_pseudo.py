"""Every command in a language that nobody speaks: no word of English is left that nobody could translate."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from typing import Any

import openpyxl
import pytest

from docs import generate
from fieldsync.cli import COMMANDS
from fieldsync.commands.support import lazy_tree
from fieldsync.commands.support.settings import Settings
from fieldsync.core.grants import ROLES
from fieldsync.schema import load
from fieldsync.schema.model import KINDS
from tests import postgresql, pseudo
from tests.cast import ROOT
from tests.cli.conftest import World

# every command of the tree, in an order in which all succeed that can; {names} are of the prepared office. Where `codes` stands,
# it says names that are to be typed: of types, fields, choices, reports, roles, shells or commands
PLAYED = """
amal:
amal: status
hq: status
nada: join {invite}
nada: join fieldsync:1:nothing
amal: add household --set family_name=حداد --set location=جبلة
amal: add person --set given=أحمد --set family=الحسن --set birth_date=1990-05-12
amal: add household --set family_name=x --set housing=palace  # codes
amal: add household --plain << |x|الحسن|جبلة
amal: add household --plain << حداد|قاسم||x|الحسن|جبلة
amal: add person --plain << أحمد|1
amal: add person --plain << |x|y
amal: edit {family} --set family_name=العلي --put groups=orphan --note سبب
amal: edit {family} --set colour=red  # codes
amal: edit {family} --set head=nobody
amal: show {family}
amal: show {family} --all-heads
amal: show {case}
amal: show nothere
amal: show
amal: show {family} --nonsense
amal: list household
amal: list household --where location=حلب
amal: list nothere  # codes
amal: list household --limit x
amal: find الحسن
amal: find لا
amal: history {family}
amal: remove {other} --reason سبب << ن
amal: refused
amal: refused list
amal: refused clear --all
amal: refused clear
amal: show {other}
amal: household birth {family} --name ليلى --sex f --on today
amal: household death {family} {boy} --on today
amal: household move {family} --to القرداحة
amal: household marry {family} {girl} --into {second}
amal: household split {family} {girl}
samar: household verify {event}
amal: household verify {event}
amal: sync --dry-run
amal: sync
amal: sync --budget x
hq: sync
amal: pack up.age
amal: pack up.age
hq: unpack up.age
hq: unpack nothere.age
hq: pack down.age
hq: pack down.age --for {letters}
amal: unpack down.age
amal: check
hq: check
amal: backup b.fsbackup
amal: restore b.fsbackup
restored: restore b.fsbackup
amal: passphrase
amal: doctor
amal: doctor rtl
amal: doctor rtl << 7|0
nobody: doctor
samar: review
samar: review --plain << ?|h|n|x|s|q
samar: review list
amal: review list
samar: review show {torn}
samar: review bulk --newest --field location --dry-run
samar: review bulk
samar: review return {torn} location --question سبب
samar: review return {torn} location --question " "
amal: review return {torn} location --question سبب
samar: review answer {torn} سبب
samar: review answer {asked} سبب  # codes
samar: review take {torn} location --value حماة --note سبب
amal: review take {torn} location --value حماة
samar: review undo {torn} location
samar: review bulk --newest --field location
samar: overlaps
samar: overlaps list
samar: overlaps both {aid} {aid2}
samar: overlaps drop {aid3} --reason سبب  # codes
amal: overlaps drop {aid} --reason سبب
amal: case open {boy} --type child --concern dropout --risk low
amal: case open {boy} --type palace --concern dropout --risk low
amal: case assess {case} --risk high --answers سبب
amal: case plan {case} --goal سبب --review 2030-01-01 --step "تسجيله;education;2030-01-01"
samar: case return {case} --comment سبب
amal: case plan {case} --goal سبب --review 2030-01-01
samar: review approvals
amal: review approvals
samar: review approve --all --dry-run
samar: review approve
samar: review approve nothere
samar: review approve --all << ل
samar: case approve {case}
samar: review approve --all --yes
amal: case approve {case}
amal: case advance {case}
amal: case advance {case} --to registered
amal: case close {case} --reason goals_met
samar: case approve {case}
samar: case reopen {case} --reason سبب
samar: case transfer {case} --worker Basim
amal: agenda
amal: agenda --overdue
samar: agenda --everybody
samar: caseload
amal: refer {girl} --to LAT/ALBIR --reason سبب
amal: refer {boy} --to LAT/ALBIR --reason سبب
amal: referral
huda:
huda: status
huda: show {sent}
huda: referral list --unanswered
huda: referral accept {sent}
huda: referral decline {sent2} --why no_capacity
huda: referral decline {sent} --why palace
huda: referral deliver {sent} --service other
huda: referral complete {sent}
huda: add household
amal: referral withdraw {sent3}
amal: consent list {girl}
samar: consent withdraw {consent}
samar: consent list {girl}
amal: eligible {family}
samar: duplicates scan
samar: duplicates
samar: duplicates list
samar: duplicates show {man} {again}
samar: duplicates merge {man} {again}
samar: duplicates show {man} {again}
samar: duplicates split {man} {again}
samar: duplicates bulk --type person --dry-run
samar: duplicates bulk --type person --score 5
samar: duplicates not-same {man} {again}
amal: duplicates merge {man} {again}
amal: import nothere.csv --type household
amal: import bad.csv --type household  # codes
amal: import good.csv --type household --dry-run
amal: import good.csv --type household
amal: export household --out out.xlsx
amal: export household --out out.csv --sensitive
amal: export household --out out.palace
amal: report --list  # codes
amal: report
amal: report palace  # codes
amal: schema list  # codes
amal: schema show household  # codes
amal: schema show nothere  # codes
hq: schema check forms  # codes
hq: schema check nothere
hq: schema import form.xlsx --out imported  # codes survey photo image
hq: schema import form.xlsx --out imported
hq: schema publish forms --dry-run
amal: schema publish forms
second: server init --org الفرع --unit LAT/QRD --address https://127.0.0.1:9
second: server init --org الفرع --unit LAT/QRD --address https://127.0.0.1:9
hq: server run --listen palace
hq: server run --log-format palace  # text json
hq: server invite هدى --role caseworker --unit LAT/JBL
hq: server invite هدى --role palace --unit LAT/JBL  # codes
hq: server devices
hq: server fleet
hq: server fleet --late soon
hq: server grant {letters} --role caseworker --unit LAT/JBL --unit LAT/QRD
hq: server grant {letters} --role caseworker --unit QRD
hq: server pending
hq: server approve {letters}
hq: quarantine
hq: quarantine list --all
hq: quarantine release {letters}:1
hq: quarantine drop
amal: quarantine list
hq: server revoke {basim}
hq: server revoke nobody
basim: sync
basim: status
second: server upstream sync
second: server upstream set {branch}
second: server upstream sync
second: server upstream schedule --at 25:00
second: status
hq: server check
hq: server backup c.fsbackup
hq: server backup now
hq: server backup schedule --to .
hq: server backup schedule --copy .
hq: server backup now
hq: server restore --rehearse
hq: server restore --rehearse --in-place
hq: server restore --in-place
hq: server backup schedule --off
third: server restore c.fsbackup
third: server load nothere.jsonl
third: server load register.jsonl
amal: server load register.jsonl
third: server migrate --to palace
third: server migrate --to {database}  # store.db.moved
third: server migrate --to {database}
amal: server migrate --to {database}
hq: server restore c.fsbackup
nobody: demo --office forms
amal: completion palace  # codes bash zsh fish powershell pwsh
amal: move {second} --unit LAT/QRD
amal: move {second} --unit QRD
nobody: lock
nobody: unlock
amal: undo --list
amal: undo << ل
amal: undo << ن
amal: undo --yes
nada: undo
amal: nonsense
amal: case  # codes
nobody: sync
amal: sync --server palace
"""


def _add(world: World, who: str, type: str, *words: str, **fields: str) -> Any:
    given = [word for name, value in fields.items() for word in ("--set", f"{name}={value}")]
    return world.json(who, "add", type, "--anyway", *given, *words)


@pytest.fixture
def office(world: World) -> tuple[World, dict[str, str]]:
    """An office with something of everything, its server running; and what its records are called."""
    world.start()
    world.environment["FIELDSYNC_RTL"] = "plain"
    world.environment["XDG_CONFIG_HOME"] = str(world.folder / "config")
    return world, _prepared(world)


def _prepared(world: World) -> dict[str, str]:
    made: dict[str, str] = {}
    net = {"programme_code": "NET", "kind": "safety_net", "eligibility": "income_monthly < 500000"}
    _add(world, "samar", "organisation", "--unit", "LAT", name_ar="البر", kind="charity", partner_unit="LAT/ALBIR")
    _add(world, "samar", "programme", "--unit", "LAT", name_ar="شبكة", **net)
    made["invite"], made["branch"] = (
        world.invite("ندى", "caseworker", "LAT/JBL"),
        world.invite("ف", "branch", "LAT/QRD"),
    )
    for who in ("samar", "amal"):
        world.json(who, "sync")
    world.json("huda", "join", world.invite("هدى", "partner", "LAT/ALBIR"))
    _families(world, made)
    _work(world, made)
    for who in ("amal", "basim"):
        world.json(who, "sync")
    for who, place in (("amal", "حمص"), ("basim", "طرطوس")):
        world.json(who, "edit", made["torn"], "--set", f"location={place}")
    for who in ("amal", "basim", "samar", "huda"):
        world.json(who, "sync")
    asked = ("review", "return", made["torn"], "location", "--question", "سبب", "--lang", "ar")
    made["asked"] = world.json("samar", *asked)[0]["code"]
    made["letters"], made["basim"] = (world.json(who, "status")["device"] for who in ("amal", "basim"))
    _files(world)
    return made


def _families(world: World, made: dict[str, str]) -> None:
    income = {"income_monthly": "400000", "income_currency": "syp"}
    for name in ("family", "second", "other", "torn"):
        made[name] = _add(world, "amal", "household", family_name="الحسن", location="جبلة", **income)["code"]
    man = {"family": "الحسن", "father": "محمد", "birth_date": "1990-05-12", "birth_precision": "day"}
    for name, sex, given in (("boy", "m", "علي"), ("girl", "f", "ليلى"), ("man", "m", "أحمد"), ("again", "m", "احمد")):
        more = man if name in ("man", "again") else {"family": "سلوم"}
        person = {"household": made["family"], "given": given, "sex": sex, "alive": "alive", **more}
        made[name] = _add(world, "amal", "person", **person)["code"]


def _work(world: World, made: dict[str, str]) -> None:
    case = ("--type", "child", "--concern", "street", "--risk", "low")
    made["case"] = world.json("amal", "case", "open", made["boy"], *case)["code"]
    made["event"] = world.json("amal", "household", "birth", made["second"], "--name", "نور", "--sex", "f")["code"]
    for name, provider in (("aid", "جمعية البر"), ("aid2", "الهلال"), ("aid3", "النور")):
        aid = {"kind": "food", "period": "2026-10", "quantity": "1", "recipient": made["family"]}
        made[name] = _add(world, "amal", "benefit", **aid, provider=provider)["code"]
    asked = {
        "purpose": "referral",
        "method": "written",
        "given_on": "2026-01-02",
        "state": "given",
        "share_with": "LAT/ALBIR",
    }
    made["consent"] = _add(world, "amal", "consent", subject=made["girl"], **asked)["code"]
    made["database"] = postgresql.new_database()
    for name in ("sent", "sent2", "sent3"):
        words = ("refer", made["girl"], "--to", "LAT/ALBIR", "--reason", "سبب", "--share", "given")
        made[name] = world.json("amal", *words)["code"]


def _files(world: World) -> None:
    """What is to be taken in: a good list, a bad one, a form of somebody else's, the forms themselves."""
    groups = [{"unit": "LAT", "records": [{"type": one, "fields": {"location": "جبلة"}}]} for one in ("household", "x")]
    (world.folder / "register.jsonl").write_text("\n".join(map(json.dumps, groups)), encoding="utf-8")
    (world.folder / "good.csv").write_text("اسم العائلة,location\nعلي,جبلة\n", encoding="utf-8")
    (world.folder / "bad.csv").write_text("family_name,registered_on,housing\nعلي,قريباً,palace\n,,\n", encoding="utf-8")
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "survey"
    for row in (["type", "name", "label", "relevant"], ["integer", "n", "كم؟", None], ["image", "p", "صورة", None]):
        book.active.append(row)
    book.save(world.folder / "form.xlsx")


@pytest.fixture(autouse=True)
def strange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arabic is the language that nobody speaks."""
    pseudo.speak(monkeypatch)


def codes() -> frozenset[str]:
    """Return the names that people type: of types, fields, choices, states, reports, roles and commands."""
    schema = load.load_texts(load.shipped_texts())
    fields = [field for kind in schema.types.values() for field in kind.fields.values()]
    said = {*schema.types, *KINDS, *ROLES, *(path.stem for path in (ROOT / "schemas" / "reports").iterdir())}
    for field in fields:
        said |= {field.name, field.type, field.merge, field.required, *(one.code for one in field.choices)}
    said |= {name for path in runnable(COMMANDS) for name in path}
    return frozenset(said)


def test_all_that_commands_say_can_be_translated(office: tuple[World, dict[str, str]]) -> None:
    """Cards, tables, prompts, errors and hints of every command, on laptops and on servers."""
    world, made = office
    shutil.copytree(ROOT / "schemas", world.folder / "forms")
    reports = [f"samar: report {path.stem} --year 2026" for path in sorted((ROOT / "schemas" / "reports").iterdir())]
    known, odd, exits = codes(), {}, {}
    for line in (*PLAYED.strip().splitlines(), *reports):
        who, _, told = line.partition(":")
        command, _, typed = told.partition("<<")
        words = [
            re.sub(r"\{(\w+)\}", lambda found: made[found[1]], word) for word in shlex.split(command, comments=True)
        ]
        said = world.here(who, *words, "--lang", "ar", typed=typed.strip().replace("|", "\n"))
        own = frozenset(re.findall("[a-z]+", command))  # what was typed may be said
        found = pseudo.english(said.out + said.err, own | known if "# codes" in line else own)
        if found:
            odd[line] = found, said.out + said.err
        exits[line] = said.code
    assert odd == {}
    assert 1 not in exits.values()


def test_every_command_is_played() -> None:
    """A new command takes its place in the table."""
    commands, played = set(runnable(COMMANDS)), set()
    for line in PLAYED.strip().splitlines():
        words = tuple(shlex.split(line.partition(":")[2], comments=True))
        played.add(max((path for path in commands if words[: len(path)] == path), key=len))
    assert commands - played == set()


def runnable(node: lazy_tree.CommandSpec | lazy_tree.GroupSpec, *path: str) -> Iterator[tuple[str, ...]]:
    """Return the commands below a place in the tree."""
    if isinstance(node, lazy_tree.GroupSpec):
        for name, below in node.commands.items():
            yield from runnable(below, *path, name)
    if isinstance(node, lazy_tree.CommandSpec) or node.default is not None:
        yield path


def test_all_help_can_be_translated() -> None:
    """Every command's sentences, its options' and arguments', and the headings round them."""
    bare: list[str] = []

    def walk(name: str, node: lazy_tree.CommandSpec | lazy_tree.GroupSpec) -> None:
        made = lazy_tree.command(name, node, Settings(lang="ar"))
        made.translate()
        told = [made.help, made.epilog, *(getattr(param, "help", None) for param in made.params)]
        bare.extend(part for text in told if text for part in text.split("\n\n") if re.match("[A-Za-z]", part))
        if isinstance(node, lazy_tree.GroupSpec):
            for below, one in node.commands.items():
                walk(below, one)

    walk("fieldsync", COMMANDS)
    assert bare == []
    shown = generate.help_of(("list",), "ar")
    heads = [pseudo.foreign(word) for word in ("Usage", "Arguments", "Options")]
    assert all(re.search(f"^{head}:", shown, re.MULTILINE) for head in heads), shown
    assert f"[{pseudo.foreign('default')}: " in shown or f"[{pseudo.foreign('required')}]" in shown

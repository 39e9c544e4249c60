"""Rule files: every fault with its line, YAML without its traps, and the same rules written out the same way."""

import pytest

from deploy.local.problems import CannotStart
from deploy.rules.files import RuleFile, as_yaml
from deploy.rules.kinds import INTAKE, ROUTING
from shared.errors import FieldError

FILE = """\
default_group: support
rules:
  - id: norwegian
    group: nordic
    when:
      - field: language
        op: is
        value: no
      - any:
          - {field: tags, op: contains, value: vip}
          - field: fields.since
            op: gte
            value: 2026-01-05
"""


def test_a_yaml_file_is_read_as_it_is_meant() -> None:
    document = RuleFile("rules.yaml", FILE).document
    (rule,) = document["rules"]
    assert rule["when"][0]["value"] == "no", "a language, not a boolean"
    assert rule["when"][1]["any"][1]["value"] == "2026-01-05"
    assert (document["default_group"], document["mode"]) == ("support", "first")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("rules[0].when[0].value", 8),
        ("rules[0].when[1].any[1].op", 12),
        ("rules[0].skills.german", 3),
        ("rules[0]", 3),
        ("default_group", 1),
        ("rules[7]", 2),
    ],
)
def test_a_fault_that_the_service_finds_is_told_with_its_line(field: str, line: int) -> None:
    refusal = RuleFile("rules.yaml", FILE).refused([FieldError(field, "is odd")])
    assert str(refusal).splitlines()[1] == f"rules.yaml:{line}: {field}: is odd"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules: [", "r.yaml: line 1, column 9:"),
        ("rules: []\nrules: []\n", "r.yaml: line 2, column 1: 'rules' is said twice"),
        ("rules: &a []\ndefault_group: *a\n", "aliases are not read here"),
        ("- 1\n", "expected mode, default_group and rules"),
        ("", "expected mode, default_group and rules"),
        ("rules:\n  - id: x\n    grupo: y\n", "r.yaml:3: rules[0].grupo: is not a known field"),
        (
            "rules:\n  - id: x\n    group: 7\n",
            "r.yaml:3: rules[0].group: must be text or null, not a whole number",
        ),
        ("mode: some\nrules: []\n", "r.yaml:1: mode: Invalid enum value 'some'"),
        ("rules:\n  - {id: default, group: g}\n", "r.yaml:2: rules[0].id: is the name of"),
        ('{"rules": [{"id": "x",\n "when": [{"field": 3}]}]}', "r.yaml:2: rules[0].when[0].field"),
        ("rules: !!python/object:os.system []\n", "r.yaml: line 1"),
    ],
)
def test_what_is_no_rule_set_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(CannotStart) as refusal:
        RuleFile("r.yaml", text)
    assert told in str(refusal.value)


def test_what_is_written_out_is_read_back_and_compares_equal() -> None:
    document = RuleFile("rules.yaml", FILE).document
    again = RuleFile("again.yaml", as_yaml({"version": 3, **document})).document
    assert again == document
    wordy = RuleFile("w.yaml", FILE.replace("group: nordic", "group: nordic\n    tags: []"))
    assert ROUTING.comparable(wordy.document) == ROUTING.comparable(document)


def test_a_file_of_intakes_rules_is_read_and_its_faults_have_lines() -> None:
    text = "rules:\n  - id: late\n    title: Late\n    events: [opened]\n    actions: {priority: high}\n"
    file = RuleFile("rules.yaml", text, INTAKE)
    (rule,) = INTAKE.comparable(file.document)["rules"]
    assert rule == {
        "id": "late",
        "title": "Late",
        "actions": {"priority": "high"},
        "events": ("opened",),
    }
    with pytest.raises(CannotStart, match=r"rules.yaml:4: rules\[0\].events\[0\]"):
        RuleFile("rules.yaml", text.replace("opened", "opend"), INTAKE)
    with pytest.raises(CannotStart, match=r"rules.yaml:6: .*whn: is not a known field"):
        RuleFile("rules.yaml", text + "    whn: []\n", INTAKE)

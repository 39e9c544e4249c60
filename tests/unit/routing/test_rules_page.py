"""`docs/routing.md` on rules: the example file is one, and no field or operator is left out."""

import msgspec

from deploy.rules.files import RuleFile
from services.routing.api.documents import RulesBody
from services.routing.domain.rules import VOCABULARY, Known, faults
from shared.conditions import OPERATORS
from tests.docs.readme import ROOT

PAGE = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")


def test_the_example_is_a_rule_set_without_faults() -> None:
    file = RuleFile.read(ROOT / "docs" / "examples" / "rules.yaml")
    rules = msgspec.convert(file.document, RulesBody).ordered()
    known = Known({"service-desk", "billing", "technical"}, {"network"}, {"office-berlin"})
    assert list(faults(rules, known)) == []
    assert len(rules) == 4


def test_every_field_and_operator_is_named() -> None:
    assert [word for word in (*VOCABULARY.names, *OPERATORS) if f"`{word}`" not in PAGE] == []

"""The page of intake's rules names everything that a rule may say, and its example can be used."""

from pathlib import Path
from typing import get_args

import msgspec

from deploy.rules.files import RuleFile
from deploy.rules.kinds import INTAKE
from services.intake.domain.rules.document import Known, RuleSet, Since, Trigger
from services.intake.domain.rules.subject import VOCABULARY
from shared.conditions import OPERATORS

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "rules-intake.md").read_text(encoding="utf-8")


def test_the_example_can_be_used() -> None:
    file = RuleFile.read(ROOT / "docs" / "examples" / "rules-intake.yaml", INTAKE)
    msgspec.convert(file.document, RuleSet).check(Known({}, (), ()))


def test_the_page_names_every_event_moment_field_and_operator() -> None:
    words = (*get_args(Trigger), *get_args(Since), *VOCABULARY.names, *OPERATORS)
    assert [word for word in words if f"`{word}`" not in PAGE] == []

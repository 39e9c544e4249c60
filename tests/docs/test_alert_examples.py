"""Every example of a sink in docs/alerts.md is a document that the product takes."""

import json
import re
from typing import get_args

import pytest

from services.sla.alerts.documents import AnySink, read_sink
from tests.docs.readme import ROOT

EXAMPLES = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "alerts.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_taken(example: str) -> None:
    read_sink(json.loads(example))


def test_every_kind_has_an_example() -> None:
    shown = {json.loads(example)["kind"] for example in EXAMPLES}
    assert shown == {kind.__struct_config__.tag for kind in get_args(AnySink)}

"""The settings file of sinks: `{"sinks": {"pager": {"kind": "pagerduty", …}}}`, as YAML or JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from services.sla.alerts.documents import read_sink
from shared.errors import Invalid, Refused


def read_sinks_file(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The documents in it, each checked.

    Raises:
        ValueError: the file cannot be read, or naming the sink and field that cannot be accepted.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"the file of sinks cannot be read ({type(error).__name__})") from None
    documents = content.get("sinks") if isinstance(content, dict) else None
    if not isinstance(documents, dict):
        raise ValueError("the file of sinks must hold `sinks`: names and documents")  # noqa: TRY004
    for name, document in documents.items():
        if not isinstance(document, dict):
            raise ValueError(f"sinks.{name}: must be a document")  # noqa: TRY004
        try:
            read_sink(document)
        except Invalid as error:
            faults = "; ".join(f"{each.field}: {each.message}" for each in error.errors)
            raise ValueError(f"sinks.{name}: {faults}") from None
        except Refused as error:
            raise ValueError(f"sinks.{name}: {error.detail}") from None
    return documents

"""The two rule sets of an installation: routing's, and those of intake."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from services.intake.domain.rules import RuleSet
from services.routing.api.documents import RulesBody, RulesDocument
from shared.http.bodies import decode_json


@dataclass(frozen=True)
class RuleKind:
    """One of them.

    Attributes:
        path: where it is read and replaced.
        expected: what a file must have, in words.
        read: a file's content as it is put over HTTP; raises Invalid.
        comparable: equal for equal rules, whatever is said that is so by default.
        check: what is added to a document so that a dry run checks it before it is applied.
    """

    path: str
    expected: str
    read: Callable[[bytes], dict[str, Any]]
    comparable: Callable[[dict[str, Any]], dict[str, Any]]
    check: dict[str, Any]


def _read_routing(raw: bytes) -> dict[str, Any]:
    body = decode_json(raw, RulesBody)
    body.ordered()
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return plain


def _comparable_routing(document: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(
        msgspec.convert({**document, "version": 0}, RulesDocument)
    )
    del plain["version"]
    return plain


def _read_intake(raw: bytes) -> dict[str, Any]:
    return _comparable_intake(msgspec.to_builtins(decode_json(raw, RuleSet)))


def _comparable_intake(document: dict[str, Any]) -> dict[str, Any]:
    rules = msgspec.convert({"rules": document.get("rules", [])}, RuleSet)
    return {"rules": msgspec.to_builtins(rules).get("rules", [])}


ROUTING: Final = RuleKind(
    path="/v1/routing/rules",
    expected="mode, default_group and rules",
    read=_read_routing,
    comparable=_comparable_routing,
    # Two seconds of looking: a rule that is never reached shows among last month's tickets, if at all.
    check={"days": 31, "show": 0, "at_most": 20_000},
)
INTAKE: Final = RuleKind(
    path="/v1/rules",
    expected="rules",
    read=_read_intake,
    comparable=_comparable_intake,
    check={"recent": 0},
)

"""Each token is told once, and a flood of tokens costs a bounded memory."""

import time
from collections.abc import Sequence

import pytest

from shared.http.client_ip import TrustedProxies
from shared.operations import Operation
from shared.security import token_uses
from shared.security.issuer import LocalIssuer
from shared.security.principal import Principal, Role
from shared.security.token_uses import TokenUses

SCOPE = {"type": "http", "client": ("198.51.100.7", 1), "headers": []}
ANNA = Principal(id="anna", role=Role.ADMIN)


class Log:
    def __init__(self) -> None:
        self.written: list[Operation] = []

    def write(self, operations: Sequence[Operation]) -> None:
        self.written += operations


def uses_of(log: Log) -> TokenUses:
    return TokenUses(TrustedProxies([]), log.write)


def come(uses: TokenUses, token: str, *, lasts: float = 600) -> None:
    uses.saw(SCOPE, token, ANNA, time.time() + lasts)


async def test_a_token_is_told_once_with_who_made_for_how_long_and_not_its_text(
    issuer: LocalIssuer,
) -> None:
    log, token = Log(), issuer.issue("anna", Role.ADMIN)
    uses = uses_of(log)
    come(uses, token)
    come(uses, token)
    come(uses, issuer.issue("anna", Role.ADMIN))
    await uses._behind.tell()
    first, second = log.written
    assert (first.what, first.actor.id, first.actor.ip) == ("token.use", "anna", "198.51.100.7")
    assert first.changes["role"] == (None, "admin")
    assert first.changes.keys() == {"role", "made_at", "ends_at"}
    assert first.about != second.about
    assert token.rpartition(".")[2] not in repr(first)


async def test_tokens_that_ended_make_room_for_others(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_uses, "TOKENS_MAX", 2)
    log = Log()
    uses = uses_of(log)
    come(uses, issuer.issue("a", Role.ADMIN), lasts=-1)
    come(uses, issuer.issue("b", Role.ADMIN))
    come(uses, issuer.issue("c", Role.ADMIN))
    come(uses, issuer.issue("d", Role.ADMIN))  # two that live are all that is kept
    await uses._behind.tell()
    assert len(log.written) == 3

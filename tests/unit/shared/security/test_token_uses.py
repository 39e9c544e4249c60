"""Each token is told once, is kept until it could be written, and a flood of tokens costs a bounded memory."""

import asyncio
import time
from collections.abc import Sequence

import psycopg
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
        self.is_away = False

    def write(self, operations: Sequence[Operation]) -> None:
        if self.is_away:
            raise psycopg.OperationalError("away")
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
    await uses._tell()
    first, second = log.written
    assert (first.what, first.actor.id, first.actor.ip) == ("token.use", "anna", "198.51.100.7")
    assert first.changes["role"] == (None, "admin")
    assert first.changes.keys() == {"role", "made_at", "ends_at"}
    assert first.about != second.about
    assert token.rpartition(".")[2] not in repr(first)


async def test_what_cannot_be_written_is_kept_and_written_at_the_end(issuer: LocalIssuer) -> None:
    log = Log()
    uses, log.is_away = uses_of(log), True
    running = asyncio.create_task(uses.run())
    come(uses, issuer.issue("anna", Role.ADMIN))
    await uses._tell()
    assert log.written == []
    log.is_away = False
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(log.written) == 1


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
    await uses._tell()
    assert len(log.written) == 3

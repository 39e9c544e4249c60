"""The issuer's keys are found, renewed, and never a way to overload or lock out."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.errors import NotYet
from shared.security import LocalIssuer, Role, TokenVerifier
from shared.security.keys import AGE_SECONDS_MAX, PAUSE_SECONDS, FileKeys, UrlKeys, usable_keys
from shared.security.tokens import InvalidToken


class Ticking:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class IssuerOnTheNet:
    """Counts how often it is asked and can be away."""

    def __init__(self, key_set: bytes) -> None:
        self.key_set = key_set
        self.asked = 0
        self.is_away = False

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.is_away:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(200, content=self.key_set)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def net(issuer: LocalIssuer) -> IssuerOnTheNet:
    return IssuerOnTheNet(issuer.jwks_file.read_bytes())


@pytest.fixture
def keys(net: IssuerOnTheNet, clock: Ticking) -> UrlKeys:
    return UrlKeys("https://issuer.test/keys", transport=httpx2.MockTransport(net), monotonic=clock)


def kid_of(key_set: bytes) -> str:
    return str(json.loads(key_set)["keys"][0]["kid"])


async def test_keys_are_fetched_once(keys: UrlKeys, net: IssuerOnTheNet) -> None:
    for _ in range(3):
        assert await keys.find(kid_of(net.key_set)) is not None
    assert net.asked == 1


async def test_an_unknown_key_is_looked_for_but_not_again_and_again(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking
) -> None:
    await keys.find(kid_of(net.key_set))
    clock.seconds += PAUSE_SECONDS + 1
    for number in range(50):
        assert await keys.find(f"made-up-{number}") is None
    assert net.asked == 2


async def test_a_new_key_is_found_after_rotation(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking, tmp_path: Path
) -> None:
    await keys.find(kid_of(net.key_set))
    net.key_set = LocalIssuer(tmp_path).jwks_file.read_bytes()
    clock.seconds += PAUSE_SECONDS + 1
    assert await keys.find(kid_of(net.key_set)) is not None


async def test_a_withdrawn_key_ends_with_its_age(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking
) -> None:
    old = kid_of(net.key_set)
    await keys.find(old)
    net.key_set = b'{"keys": []}'
    assert await keys.find(old) is not None
    clock.seconds += AGE_SECONDS_MAX + 1
    assert await keys.find(old) is None


async def test_an_issuer_that_is_away_locks_nobody_out(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking
) -> None:
    known = kid_of(net.key_set)
    await keys.find(known)
    net.is_away = True
    clock.seconds += AGE_SECONDS_MAX + 1
    assert await keys.find(known) is not None
    assert net.asked == 2


async def test_an_issuer_never_reached_is_our_trouble_not_the_callers(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking
) -> None:
    net.is_away = True
    with pytest.raises(NotYet):
        await keys.find("any")
    net.is_away = False
    clock.seconds += PAUSE_SECONDS + 1
    assert await keys.find(kid_of(net.key_set)) is not None


@pytest.mark.parametrize(
    "key_set",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": 1}',
        b"<html>",
        b"\xff",
        b'{"keys": [%s{}]}' % (b"{}," * 64),
        b" " * 300_000,
    ],
)
async def test_what_is_no_key_set_changes_nothing(
    keys: UrlKeys, net: IssuerOnTheNet, clock: Ticking, key_set: bytes
) -> None:
    known = kid_of(net.key_set)
    await keys.find(known)
    net.key_set = key_set
    clock.seconds += AGE_SECONDS_MAX + 1
    assert await keys.find(known) is not None


async def test_a_file_is_read_again_when_it_changed(tmp_path: Path, clock: Ticking) -> None:
    path = tmp_path / "jwks.json"
    keys = FileKeys(path, monotonic=clock)
    with pytest.raises(NotYet):
        await keys.find("any")
    key_set = LocalIssuer(tmp_path / "later").jwks_file.read_bytes()
    path.write_bytes(key_set)
    clock.seconds += PAUSE_SECONDS + 1
    assert await keys.find(kid_of(key_set)) is not None
    assert await keys.find(None) is not None


def jwk(algorithm: Any, key: Any, **more: str) -> dict[str, Any]:
    return json.loads(algorithm.to_jwk(key.public_key())) | more


def test_only_strong_signing_keys_of_the_allowed_kinds_are_used() -> None:
    entries = [
        jwk(RSAAlgorithm, generate_rsa(65537, 2048), kid="rsa"),
        jwk(RSAAlgorithm, generate_rsa(65537, 1024), kid="weak"),
        jwk(RSAAlgorithm, generate_rsa(65537, 2048), kid="encrypting", use="enc"),
        jwk(ECAlgorithm, generate_private_key(SECP256R1()), kid="ec"),
        jwk(ECAlgorithm, generate_private_key(SECP384R1()), kid="other-curve"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared-secret"},
        {"kty": "new-kind", "kid": "future"},
        "nonsense",
    ]
    assert usable_keys(json.dumps({"keys": entries}).encode()).keys() == {"rsa", "ec"}


async def test_tokens_of_an_issuer_by_rotation_end_to_end(
    issuer: LocalIssuer, tmp_path: Path, net: IssuerOnTheNet, keys: UrlKeys, clock: Ticking
) -> None:
    verifier = TokenVerifier(keys, issuer=issuer.issuer, audience=issuer.audience)
    await verifier.verify(issuer.issue("anna", Role.AGENT))
    successor = LocalIssuer(tmp_path)
    token = successor.issue("anna", Role.AGENT)
    with pytest.raises(InvalidToken):
        await verifier.verify(token)
    net.key_set = successor.jwks_file.read_bytes()
    clock.seconds += PAUSE_SECONDS + 1
    assert (await verifier.verify(token)).id == "anna"

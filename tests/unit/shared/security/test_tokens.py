"""A token proves who speaks, or it is refused with the reason."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from shared.observability import metrics
from shared.security import LocalIssuer, Principal, Role, TokenVerifier
from shared.security.keys import FileKeys
from shared.security.tokens import KNOWN_MAX, KNOWN_SECONDS_MAX, InvalidToken


def private_key(issuer: LocalIssuer) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(issuer.pem_file.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def kid(issuer: LocalIssuer) -> str:
    return str(json.loads(issuer.jwks_file.read_text())["keys"][0]["kid"])


def forged(issuer: LocalIssuer, **changes: Any) -> str:
    """A token of the real key with these claims changed; `None` removes one."""
    now = int(time.time())
    claims = {
        "iss": issuer.issuer,
        "aud": issuer.audience,
        "sub": "anna",
        "role": "agent",
        "exp": now + 60,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(claims, private_key(issuer), algorithm="EdDSA", headers={"kid": kid(issuer)})


async def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(token)
    assert "invalid_token" in caught.value.headers["WWW-Authenticate"]
    return caught.value.detail


async def test_a_good_token_names_its_bearer(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    token = issuer.issue(
        "anna", Role.SUPERVISOR, name="Anna", email="anna@example.org", groups=["g-1"]
    )
    assert await verifier.verify(token) == Principal(
        "anna", Role.SUPERVISOR, "Anna", "anna@example.org", ("g-1",), is_email_verified=True
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "lacks the claim exp"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": 10**400}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": 1e15}, "malformed"),
        ({"exp": [1]}, "malformed"),
        ({"nbf": 9_999_999_999}, "not valid yet"),
        ({"iat": 9_999_999_999}, "not valid yet"),
        ({"iss": "somebody"}, "issuer"),
        ({"iss": None}, "lacks the claim iss"),
        ({"aud": "somebody"}, "somebody else"),
        ({"aud": None}, "lacks the claim aud"),
        ({"sub": None}, "lacks the claim sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "a\0b"}, "sub"),
        ({"sub": "\ud800"}, "sub"),
        ({"sub": "x" * 256}, "sub"),
        ({"sub": 7}, "malformed"),
        ({"role": None}, "role"),
        ({"role": "boss"}, "role"),
        ({"role": ["agent"]}, "role"),
        ({"role": {"a": 1}}, "role"),
    ],
)
async def test_a_token_that_proves_nothing_is_refused_with_the_reason(
    issuer: LocalIssuer, verifier: TokenVerifier, changes: dict[str, Any], reason: str
) -> None:
    assert reason in await refusal(verifier, forged(issuer, **changes))


async def test_unprintable_names_are_left_out(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    token = forged(issuer, name="a\0b", email=7, groups=["ok", "\ud800", 3])
    assert await verifier.verify(token) == Principal("anna", Role.AGENT, None, None, ("ok",))


async def test_the_highest_of_several_roles_counts(
    issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    token = forged(issuer, role=None, roles=["customer", "supervisor", "offline_access", "agent"])
    assert (await verifier.verify(token)).role is Role.SUPERVISOR


def with_header(token: str, **changes: Any) -> str:
    header = json.loads(base64.urlsafe_b64decode(token.split(".", maxsplit=1)[0] + "=="))
    raw = json.dumps(header | changes).encode()
    return ".".join([base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), *token.split(".")[1:]])


async def test_the_token_cannot_choose_how_it_is_checked(
    issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    good = forged(issuer)
    unsigned = with_header(good, alg="none").rsplit(".", 1)[0] + "."
    assert "malformed" in await refusal(verifier, unsigned)
    # The classic confusion: the public key taken as the secret of an HMAC.
    public = json.loads(issuer.jwks_file.read_text())["keys"][0]["x"]
    claims = jwt.decode(good, options={"verify_signature": False})
    secret = base64.urlsafe_b64decode(public + "=")
    by_hmac = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": kid(issuer)})
    assert "malformed" in await refusal(verifier, by_hmac)


async def test_a_changed_token_is_refused(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    head, _, signature = forged(issuer).split(".")
    _, other, _ = forged(issuer, role="admin").split(".")
    assert "signature" in await refusal(verifier, f"{head}.{other}.{signature}")


async def test_a_key_of_nobody_is_refused(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    stranger = jwt.encode({"sub": "x"}, Ed25519PrivateKey.generate(), "EdDSA", {"kid": "stranger"})
    assert "does not publish" in await refusal(verifier, stranger)
    assert "does not publish" in await refusal(verifier, with_header(forged(issuer), kid="other"))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "x" * 9_000,
        "é.é.é",
        "\0",
        base64.b64encode(b"[" * 5_000).decode() + ".e30.x",
    ],
)
async def test_garbage_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert await refusal(verifier, token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*"))
async def test_any_text_is_refused_and_nothing_else(verifier: TokenVerifier, token: str) -> None:
    assert await refusal(verifier, token)


def checks() -> float:
    return float(metrics.SECURITY_TOKENS_CHECKED.labels("accepted")._value.get())


async def test_a_known_token_is_not_checked_again_until_its_time_is_up(
    issuer: LocalIssuer,
) -> None:
    now = time.time()
    moment = [now]
    verifier = TokenVerifier(
        FileKeys(issuer.jwks_file),
        issuer=issuer.issuer,
        audience=issuer.audience,
        now=lambda: moment[0],
    )
    token = issuer.issue("anna", Role.AGENT, ttl_seconds=100_000)
    before = checks()
    await verifier.verify(token)
    await verifier.verify(token)
    assert checks() == before + 1
    moment[0] = now + KNOWN_SECONDS_MAX + 1
    await verifier.verify(token)
    assert checks() == before + 2


async def test_a_known_token_ends_with_its_own_time(issuer: LocalIssuer) -> None:
    moment = [time.time()]
    verifier = TokenVerifier(
        FileKeys(issuer.jwks_file),
        issuer=issuer.issuer,
        audience=issuer.audience,
        now=lambda: moment[0],
    )
    token = issuer.issue("anna", Role.AGENT, ttl_seconds=60)
    before = checks()
    await verifier.verify(token)
    moment[0] += 61
    await verifier.verify(
        token
    )  # within the leeway of the clocks; what matters is that it was checked
    assert checks() == before + 2


async def test_what_is_remembered_is_bounded(
    issuer: LocalIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.security.tokens.KNOWN_MAX", 3)
    assert KNOWN_MAX > 3
    for number in range(5):
        await verifier.verify(issuer.issue(f"agent-{number}", Role.AGENT))
    assert len(verifier._known) == 3


@pytest.mark.parametrize(
    ("algorithm", "is_accepted"), [("RS256", True), ("RS512", False), ("PS256", False)]
)
async def test_a_key_serves_its_own_algorithm_only(
    tmp_path: Path, algorithm: str, is_accepted: bool
) -> None:
    key = generate_rsa(65537, 2048)
    published = json.loads(RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "r", "alg": "RS256"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [published]}))
    verifier = TokenVerifier(FileKeys(tmp_path / "jwks.json"), issuer="i", audience="a")
    claims = {"iss": "i", "aud": "a", "sub": "anna", "role": "agent", "exp": time.time() + 60}
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "r"})
    if is_accepted:
        assert (await verifier.verify(token)).id == "anna"
    else:
        assert await refusal(verifier, token)


@pytest.mark.parametrize("said", [None, False, "true", 1])
async def test_an_address_is_only_verified_when_the_issuer_says_so(
    issuer: LocalIssuer, verifier: TokenVerifier, said: object
) -> None:
    token = forged(issuer, role="customer", email="a@example.org", email_verified=said)
    assert (await verifier.verify(token)).addresses == ()

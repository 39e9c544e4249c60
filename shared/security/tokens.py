"""From a bearer token (JWT) to a principal."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
import structlog

from shared.errors import Refused
from shared.observability import metrics
from shared.security.keys import KeySource
from shared.security.principal import Principal, Role

log = structlog.get_logger(__name__)

CHARS_MAX: Final = 8_192  # what proxies let through in one header
LEEWAY_SECONDS: Final = 30  # clocks of issuer and service may differ by this much
KNOWN_MAX: Final = 4_096
"""Tokens remembered: one per caller at work; about 3 MB."""
KNOWN_SECONDS_MAX: Final = 300.0
"""A token is checked again after this long, so that a withdrawn key ends it."""

_ID_CHARS_MAX: Final = 255  # OpenID Connect Core §2 on `sub`
_NAME_CHARS_MAX: Final = 200
_END_MAX: Final = 253_402_300_800  # the year 10000
_GROUPS_MAX: Final = 200

# What PyJWT raises, and what its parsing of hostile headers can run into.
_MALFORMED: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

_WORDS: Final = (
    (jwt.ExpiredSignatureError, "The token has expired."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.InvalidAudienceError, "The token is for somebody else (aud)."),
    (jwt.InvalidIssuerError, "The token is of another issuer (iss)."),
    (jwt.InvalidSignatureError, "The token's signature is wrong."),
)


class Unauthorized(Refused):
    """No token, or one that proves nothing."""

    status = 401
    title = "Not authenticated"

    @property
    def headers(self) -> dict[str, str]:
        """The challenge (RFC 6750 §3)."""
        return {"WWW-Authenticate": 'Bearer realm="ticketing"'}


class InvalidToken(Unauthorized):
    """A token came, and it is malformed, expired, or not for us."""

    title = "Token refused"

    @property
    def headers(self) -> dict[str, str]:
        """The challenge; its words are ours, never the caller's."""
        words = self.detail.replace('"', "'")
        return {
            "WWW-Authenticate": f'Bearer realm="ticketing", error="invalid_token", error_description="{words}"'
        }


class TokenVerifier:
    """Checks signature, issuer, audience and times; remembers what it found until the token ends.

    Args:
        keys: the issuer's keys.
        issuer: what `iss` must say.
        audience: what `aud` must contain.
        now: Unix seconds, for what is remembered (PyJWT itself asks the machine's clock).
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._known: OrderedDict[str, tuple[Principal, float, float]] = OrderedDict()

    def knows(self, token: str) -> bool:
        """Whether it was accepted before, as far as is remembered."""
        return token in self._known

    async def verify(self, token: str) -> Principal:
        """Who the token speaks for.

        Raises:
            InvalidToken: malformed, expired, not yet valid, of another issuer or audience, signed by no known key.
            NotYet: the issuer's keys cannot be read.
        """
        return (await self._look_up(token))[0]

    async def verify_until(self, token: str) -> tuple[Principal, float]:
        """The principal, and when the token ends (Unix seconds)."""
        principal, _, ends_at = await self._look_up(token)
        return principal, ends_at

    async def _look_up(self, token: str) -> tuple[Principal, float, float]:
        known = self._known.get(token)
        if known is not None and self._now() < known[1]:
            return known
        try:
            claims = await self._check(token)
            principal, ends_at = _principal(claims), _end(claims["exp"])
        except InvalidToken:
            self._known.pop(token, None)
            metrics.SECURITY_TOKENS_CHECKED.labels("refused").inc()
            raise
        metrics.SECURITY_TOKENS_CHECKED.labels("accepted").inc()
        entry = (principal, min(ends_at, self._now() + KNOWN_SECONDS_MAX), ends_at)
        self._known[token] = entry
        self._known.move_to_end(token)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return entry

    async def _check(self, token: str) -> Mapping[str, Any]:
        if len(token) > CHARS_MAX:
            raise InvalidToken(f"The token is longer than {CHARS_MAX} characters.")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self._keys.find(kid if isinstance(kid, str) else None)
            if key is None:
                raise InvalidToken(
                    "The token is signed with a key that the issuer does not publish."
                )
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key=key.key,
                algorithms=[key.algorithm_name],  # the key decides, never the token
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except _MALFORMED as error:
            raise InvalidToken(_in_words(error)) from None
        return claims


def _in_words(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The token lacks the claim {error.claim}."
    return next(
        (words for kind, words in _WORDS if isinstance(error, kind)), "The token is malformed."
    )


def _principal(claims: Mapping[str, Any]) -> Principal:
    return Principal(
        id=_id(claims["sub"]),
        role=_role(claims),
        name=_text(claims.get("name")),
        email=_text(claims.get("email")),
        groups=_groups(claims.get("groups")),
        is_email_verified=claims.get("email_verified") is True,
    )


def _end(exp: Any) -> float:
    # PyJWT has seen to it that this is a number; JSON knows larger ones than clocks do.
    if not exp < _END_MAX:
        raise InvalidToken("The token is malformed.")
    return float(exp)


def _id(subject: Any) -> str:
    # Printable: PostgreSQL refuses NUL, UTF-8 refuses lone surrogates, and people read it in the audit.
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= _ID_CHARS_MAX
        or not subject.isprintable()
    ):
        raise InvalidToken(f"The claim sub must be 1 to {_ID_CHARS_MAX} printable characters.")
    return subject


def _role(claims: Mapping[str, Any]) -> Role:
    given = claims.get("role")
    named = [given] if given is not None else claims.get("roles")
    ours = [role for role in Role if isinstance(named, list) and role.value in named]
    if not ours:
        raise InvalidToken(f"The claim role must be one of {', '.join(Role)}.")
    return ours[-1]  # declared from least to most


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value[:_NAME_CHARS_MAX] or None


def _groups(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(text for text in map(_text, value[:_GROUPS_MAX]) if text)

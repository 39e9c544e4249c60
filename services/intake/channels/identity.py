"""Who a visitor of our customer's own site is: said by that site in a token that it signs with a secret we share."""

from collections.abc import Sequence
from typing import Any, Final

import jwt

from services.intake.domain import limits
from shared.events.tickets import Person
from shared.security.tokens import CHARS_MAX, LEEWAY_SECONDS, InvalidToken

_ALGORITHMS: Final = ("HS256", "HS384", "HS512")
_SECRET_BYTES_MIN: Final = 32
"""RFC 7518, 3.2: a key as long as the hash; a shorter one can be guessed from one token."""

_WORDS: Final = (
    (jwt.ExpiredSignatureError, "The token has expired."),
    (jwt.ImmatureSignatureError, "The token is not valid yet."),
    (jwt.MissingRequiredClaimError, "The token lacks sub or exp."),
    (jwt.InvalidSignatureError, "The token's signature is wrong."),
)


class IdentityTokens:
    """Verifies them. They never prove more than "this customer".

    Args:
        secrets: of the sites; during a rotation the new one and the old one.

    Raises:
        ValueError: a secret is shorter than 32 bytes.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if any(len(one.encode()) < _SECRET_BYTES_MIN for one in secrets):
            raise ValueError(f"an identity secret has at least {_SECRET_BYTES_MIN} bytes")
        self._secrets = tuple(secrets)

    def person(self, token: str, *, field: str) -> Person:
        """The customer of the token: `sub` is the id, `name`, `email` and `organization` are taken if they are there.

        Raises:
            InvalidToken: it is forged, expired or malformed, or nobody shares a secret with us; `field` is named.
        """
        claims = self._claims(token, field)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= limits.IDENTITY_CHARS_MAX:
            raise InvalidToken("The token's sub is no identity.", field=field)
        return Person(
            id=subject,
            name=_text(claims.get("name"), limits.NAME_CHARS_MAX),
            email=_text(claims.get("email"), limits.EMAIL_CHARS_MAX),
            organization=_text(claims.get("organization"), limits.NAME_CHARS_MAX),
        )

    def _claims(self, token: str, field: str) -> dict[str, Any]:
        if len(token) > CHARS_MAX:
            raise InvalidToken("The token is too long.", field=field)
        error: Exception = jwt.InvalidSignatureError()
        for secret in self._secrets:
            try:
                return jwt.decode(
                    token,
                    secret,
                    algorithms=_ALGORITHMS,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["sub", "exp"], "verify_aud": False},
                )
            except jwt.InvalidSignatureError as wrong:
                error = wrong
            except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as wrong:
                error = wrong
                break
        words = next((text for kind, text in _WORDS if isinstance(error, kind)), None)
        raise InvalidToken(words or "The token is malformed.", field=field) from error


def _text(said: Any, chars_max: int) -> str | None:
    return said[:chars_max].strip() or None if isinstance(said, str) else None

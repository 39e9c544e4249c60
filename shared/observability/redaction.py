"""What never reaches a log: secrets, tokens, bodies, addresses of people."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

_REDACTED: Final = "[redacted]"
_DEPTH_MAX: Final = 4  # deeper structures do not belong in a log line

# Whole words of a field's name: `api_token` and `token` are secret, `tokens_checked` is not.
_SECRET_WORDS: Final = frozenset(
    {
        *("authorization", "cookie", "credential", "credentials", "dsn", "jwt", "passwd"),
        *("password", "secret", "token", "pem"),
        *("address", "body", "email", "html", "phone", "subject", "text"),
    }
)
_SECRET_NAMES: Final = frozenset(
    {"api_key", "private_key", "signing_key", "database_url", "redis_url"}
)

_JWT: Final = re.compile(r"\beyJ[\w-]*\.[\w-]+\.[\w-]*")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic) +[\w.~+/=-]+")
_URL_PASSWORD: Final = re.compile(r"(\w://[^:/@\s]*):[^@/\s]+@")
_KEYWORD_PASSWORD: Final = re.compile(
    r"(?i)\b(password|passwd|secret|token)(\s*[=:]\s*)[^\s,;'\"]+"
)
_EMAIL: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: masks fields by their name, and secrets inside texts by their look."""
    for name, value in event.items():
        event[name] = _clean(name, value, _DEPTH_MAX)
    return event


def scrub(text: str) -> str:
    """The text without tokens, passwords in addresses of servers, and e-mail addresses."""
    if "eyJ" in text:
        text = _JWT.sub(_REDACTED, text)
    if "@" in text:
        text = _EMAIL.sub(_REDACTED, _URL_PASSWORD.sub(r"\1:" + _REDACTED + "@", text))
    if "=" in text or ":" in text:
        text = _KEYWORD_PASSWORD.sub(r"\1\2" + _REDACTED, text)
    return _BEARER.sub(r"\1 " + _REDACTED, text) if " " in text else text


def _clean(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _REDACTED if _is_secret(name) else scrub(value)
    if depth == 0 or _is_secret(name):
        return _REDACTED
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", item, depth - 1) for item in value]
    return scrub(str(value))


def _is_secret(name: str) -> bool:
    known = _SECRECY.get(name)
    if known is None:
        lowered = name.lower()
        known = lowered in _SECRET_NAMES or not _SECRET_WORDS.isdisjoint(
            re.split(r"[_\W]+", lowered)
        )
        if len(_SECRECY) < _SECRECY_MAX:
            _SECRECY[name] = known
    return known


# Field names are few and repeat on every line; the bound is for names that come from data.
_SECRECY: Final[dict[str, bool]] = {}
_SECRECY_MAX: Final = 1_000

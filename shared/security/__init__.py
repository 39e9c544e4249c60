"""Who may do what: principals, tokens, the guard at the entrance, browser sessions."""

from shared.security.guard import authenticate, require
from shared.security.issuer import LocalIssuer
from shared.security.principal import Principal, Role
from shared.security.tokens import TokenVerifier, Unauthorized

__all__ = [
    "LocalIssuer",
    "Principal",
    "Role",
    "TokenVerifier",
    "Unauthorized",
    "authenticate",
    "require",
]

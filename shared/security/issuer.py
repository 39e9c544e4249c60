"""The local issuer: makes tokens where no identity provider is configured (embedded stack, tests)."""

import hashlib
import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.identifiers import new_id
from shared.security.principal import Role

TTL_SECONDS: Final = 8 * 3600  # a working day
TTL_SECONDS_MAX: Final = 366 * 24 * 3600

_ALGORITHM: Final = "EdDSA"


class LocalIssuer:
    """An Ed25519 key pair in a folder: `signing.pem` (mode 0600) and `jwks.json` for the services.

    Args:
        folder: made when missing, mode 0700; an existing key is used again.
        issuer: `iss` of its tokens.
        audience: `aud` of its tokens.

    Raises:
        ValueError: `signing.pem` is no Ed25519 key.
        OSError: the folder cannot be read or written.
    """

    def __init__(
        self, folder: Path, *, issuer: str = "ticketing-local", audience: str = "ticketing"
    ) -> None:
        self.folder = folder
        self.issuer = issuer
        self.audience = audience
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._key = _load_or_make(self.pem_file)
        public = _public_jwk(self._key)
        self._kid: str = public["kid"]
        text = json.dumps({"keys": [public]}, indent=2) + "\n"
        if not self.jwks_file.exists() or self.jwks_file.read_text() != text:
            self.jwks_file.write_text(text)

    @property
    def pem_file(self) -> Path:
        """The private key; whoever reads it may sign as anybody."""
        return self.folder / "signing.pem"

    @property
    def jwks_file(self) -> Path:
        """The public key set: what `TICKETING_JWKS_FILE` names."""
        return self.folder / "jwks.json"

    def issue(
        self,
        subject: str,
        role: Role,
        *,
        name: str | None = None,
        email: str | None = None,
        groups: Sequence[str] = (),
        ttl_seconds: int = TTL_SECONDS,
    ) -> str:
        """A signed token, valid from now for `ttl_seconds` (a negative time makes one that has expired)."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "role": role.value,
            "iat": now,
            "nbf": now,
            "exp": now + ttl_seconds,
            "jti": str(new_id()),
        }
        if name:
            claims["name"] = name
        if email:
            claims |= {"email": email, "email_verified": True}  # whoever runs the issuer says so
        if groups:
            claims["groups"] = list(groups)
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._kid})


def _public_jwk(key: Ed25519PrivateKey) -> dict[str, Any]:
    jwk = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
    required = {name: jwk[name] for name in ("crv", "kty", "x")}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).digest()
    thumbprint = urlsafe_b64encode(digest).rstrip(b"=").decode()  # RFC 7638
    return {**required, "kid": thumbprint, "use": "sig", "alg": _ALGORITHM}


def _load_or_make(pem_file: Path) -> Ed25519PrivateKey:
    try:
        descriptor = os.open(pem_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _load(pem_file)
    key = Ed25519PrivateKey.generate()
    with os.fdopen(descriptor, "wb") as out:
        out.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return key


def _load(pem_file: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(pem_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{pem_file} is no Ed25519 key")  # noqa: TRY004  # the file's content, not a type of ours
    return key

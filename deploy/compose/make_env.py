"""Writes `.env` with random secrets, and the key pair that signs local tokens. Never overwrites."""

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
import uuid
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

_SECRET_BYTES: Final = 24
_ONLY_OWNER: Final = 0o600
_EVERYBODY_READS: Final = 0o644
"""The key set is public, and the services in their containers are another user."""


def main(arguments: list[str] | None = None) -> int:
    """Answers the exit status: 0 written, 1 refused because something is already there."""
    parser = argparse.ArgumentParser(prog="make-env", description=__doc__)
    parser.add_argument("--template", type=Path, default=Path(".env.example"))
    parser.add_argument("--env", type=Path, default=Path(".env"), help="file to write")
    parser.add_argument("--keys", type=Path, default=Path(".ticketing/compose"), help="key folder")
    parser.add_argument("--oncall-webhook", metavar="URL", help="page people here (Alertmanager)")
    options = parser.parse_args(arguments)
    private, public = options.keys / "signing.pem", options.keys / "jwks.json"
    for path in (options.env, private, public):
        if path.exists():
            sys.stderr.write(
                f"{path} exists and is kept: the servers' volumes already know these secrets.\n"
                f"To start afresh: docker compose down --volumes, then remove {path}.\n"
            )
            return 1
    values = filled(options.template.read_text(), jwks_file=public)
    if options.oncall_webhook:
        values += oncall(options.oncall_webhook)
    pem, jwks = signing_key()
    options.keys.mkdir(parents=True, exist_ok=True)
    _write(private, pem, _ONLY_OWNER)
    _write(public, jwks, _EVERYBODY_READS)
    _write(options.env, values, _ONLY_OWNER)
    sys.stdout.write(
        f"written: {options.env}, {private}, {public}\nnext: docker compose up --wait\n"
    )
    return 0


def filled(template: str, *, jwks_file: Path) -> str:
    """The template with a random value in every empty place and the key set's path in its own."""
    lines = []
    for line in template.splitlines():
        name, equals, value = line.partition("=")
        if line.startswith("#") or not equals:
            lines.append(line)
        elif name == "JWKS_FILE":
            lines.append(f"{name}={jwks_file}")
        else:
            lines.append(f"{name}={value or _random(name)}")
    return "\n".join(lines) + "\n"


def oncall(webhook: str) -> str:
    """The lines that make Alertmanager page: its overlay, and the address as a secret."""
    files = "docker-compose.yml:deploy/compose/oncall.yml"
    return f"\n# Where pages go.\nONCALL_WEBHOOK_URL={webhook}\nCOMPOSE_FILE={files}\n"


def signing_key() -> tuple[str, str]:
    """A new Ed25519 pair: private key as PKCS#8 PEM, public key as a JSON Web Key Set (RFC 8037).

    The key's id is its thumbprint (RFC 7638).
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    point = _base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    required = {"crv": "Ed25519", "kty": "OKP", "x": point}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = _base64url(hashlib.sha256(canonical).digest())
    jwk = {**required, "kid": thumbprint, "use": "sig", "alg": "EdDSA"}
    return pem, json.dumps({"keys": [jwk]}, indent=2) + "\n"


def _random(name: str) -> str:
    if name == "KAFKA_CLUSTER_ID":
        # Kafka's tools take a leading dash for an option
        return _base64url(uuid.uuid4().bytes).replace("-", "A").replace("_", "B")
    return secrets.token_hex(_SECRET_BYTES)


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _write(path: Path, text: str, mode: int) -> None:
    # born with its mode: there is no moment at which others could read it
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)  # whatever the umask: containers must read the key set
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())

"""make-env: every secret is random, only its owner reads it, and what exists is never overwritten."""

import json
from pathlib import Path
from typing import Final

import jwt
import pytest

from deploy.compose import make_env

TEMPLATE: Final = Path(__file__).parents[2] / ".env.example"


def run(folder: Path, *more: str) -> int:
    return make_env.main(
        [
            "--template",
            str(TEMPLATE),
            "--env",
            str(folder / ".env"),
            "--keys",
            str(folder / "keys"),
            *more,
        ]
    )


def values(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_value_is_filled_and_no_two_secrets_are_equal(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    found = values(tmp_path)
    assert all(found.values())
    secret = [value for name, value in found.items() if name.endswith("_PASSWORD")]
    assert len(secret) == len(set(secret)) == 8
    assert all(len(value) == 48 and value.isalnum() for value in secret)


def test_two_installations_share_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        assert run(folder) == 0
    generated = [
        name for name in values(one) if name.endswith("_PASSWORD") or name == "KAFKA_CLUSTER_ID"
    ]
    assert generated
    assert not [name for name in generated if values(one)[name] == values(other)[name]]


def test_only_the_owner_reads_the_secrets_and_everybody_the_public_key(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (tmp_path / ".env", *(tmp_path / "keys").iterdir())
    }
    assert modes == {".env": 0o600, "signing.pem": 0o600, "jwks.json": 0o644}


def test_what_exists_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 0
    before = (tmp_path / ".env").read_text()
    assert run(tmp_path) == 1
    assert "exists and is kept" in capsys.readouterr().err
    assert (tmp_path / ".env").read_text() == before


def test_the_key_set_verifies_what_the_private_key_signs(tmp_path: Path) -> None:
    assert run(tmp_path) == 0
    pem = (tmp_path / "keys" / "signing.pem").read_text()
    (key,) = jwt.PyJWKSet.from_dict(json.loads((tmp_path / "keys" / "jwks.json").read_text())).keys
    token = jwt.encode({"sub": "a"}, pem, algorithm="EdDSA", headers={"kid": key.key_id})
    assert jwt.decode(token, key, algorithms=["EdDSA"]) == {"sub": "a"}
    stranger, _ = make_env.signing_key()
    forged = jwt.encode({"sub": "a"}, stranger, algorithm="EdDSA")
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged, key, algorithms=["EdDSA"])


def test_a_pager_chooses_its_overlay(tmp_path: Path) -> None:
    assert run(tmp_path, "--oncall-webhook", "https://pager.example/hook") == 0
    found = values(tmp_path)
    assert found["ONCALL_WEBHOOK_URL"] == "https://pager.example/hook"
    assert found["COMPOSE_FILE"].split(":") == ["docker-compose.yml", "deploy/compose/oncall.yml"]

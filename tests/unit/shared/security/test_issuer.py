"""The local issuer keeps its key, keeps it private, and `ticketing token` uses it."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.commands.token import app
from deploy.local.problems import CannotStart
from shared.security import LocalIssuer, Role, TokenVerifier
from shared.security.keys import FileKeys


def verifier_of(issuer: LocalIssuer) -> TokenVerifier:
    return TokenVerifier(FileKeys(issuer.jwks_file), issuer=issuer.issuer, audience=issuer.audience)


def test_the_private_key_is_private(tmp_path: Path) -> None:
    issuer = LocalIssuer(tmp_path / "keys")
    assert stat.S_IMODE(issuer.pem_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(issuer.folder.stat().st_mode) == 0o700
    [public] = json.loads(issuer.jwks_file.read_text())["keys"]
    assert "d" not in public


async def test_a_restart_keeps_old_tokens_valid(tmp_path: Path) -> None:
    token = LocalIssuer(tmp_path).issue("anna", Role.AGENT)
    assert (await verifier_of(LocalIssuer(tmp_path)).verify(token)).id == "anna"


def test_a_foreign_key_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "signing.pem").write_text("not a key")
    with pytest.raises(ValueError, match="PEM"):
        LocalIssuer(tmp_path)
    assert (tmp_path / "signing.pem").read_text() == "not a key"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TICKETING_HOME", str(tmp_path))
    return tmp_path


async def test_the_command_prints_a_token_that_services_accept(home: Path) -> None:
    issuer = LocalIssuer(home / "keys")
    arguments = [
        "--role",
        "agent",
        "--subject",
        "anna",
        "--name",
        "Anna",
        "--group",
        "g",
        "--ttl",
        "30m",
    ]
    printed = CliRunner().invoke(app, arguments)
    principal, ends_at = await verifier_of(issuer).verify_until(printed.stdout.strip())
    assert (principal.id, principal.role, principal.groups) == ("anna", Role.AGENT, ("g",))
    _, ends_later = await verifier_of(issuer).verify_until(
        CliRunner().invoke(app, [*arguments[:-1], "90d"]).stdout.strip()
    )
    assert ends_later - ends_at == pytest.approx(90 * 86_400 - 1_800, abs=60)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--role", "boss", "--subject", "anna"],
        ["--role", "agent", "--subject", ""],
        ["--role", "agent", "--subject", "a\nb"],
        ["--role", "agent", "--subject", "anna", "--ttl", "soon"],
        ["--role", "agent", "--subject", "anna", "--ttl", "-5h"],
        ["--role", "agent", "--subject", "anna", "--ttl", "367d"],
        ["--role", "agent", "--subject", "anna", "--ttl", "999999999d"],
        ["--role", "agent"],
    ],
)
def test_the_command_names_the_wrong_option(home: Path, arguments: list[str]) -> None:
    LocalIssuer(home / "keys")
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 2
    assert "Error" in outcome.output


def test_without_an_issuer_the_command_says_what_to_do_and_makes_no_key(home: Path) -> None:
    outcome = CliRunner().invoke(app, ["--role", "agent", "--subject", "anna"])
    assert isinstance(outcome.exception, CannotStart)
    assert "start the product first" in str(outcome.exception)
    assert not (home / "keys").exists()

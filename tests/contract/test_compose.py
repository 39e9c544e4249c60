"""docker-compose.yml keeps its promises: nothing unhealthy unnoticed, no default secret, one door."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.intake.settings import Settings as IntakeSettings
from services.query.settings import Settings as QuerySettings
from services.routing.settings import Settings as RoutingSettings
from services.sla.settings import Settings as SlaSettings
from shared.settings import ServiceSettings
from shared.topics import PARTITIONS

ROOT: Final = Path(__file__).parents[2]
COMPOSE_FILE: Final = ROOT / "docker-compose.yml"
OVERLAYS: Final = ("oncall.yml", "oidc.yml", "mail.yml")
REQUIRED: Final = re.compile(r"\$\{(\w+):\?([^}]+)\}")
SECRET_NAME: Final = re.compile(r"PASS|SECRET|AUTH|TOKEN|CREDENTIAL", re.IGNORECASE)
CREDENTIAL_IN_URL: Final = re.compile(r"://[^/@:]*:(?P<password>.+)@")


class Loader(yaml.SafeLoader):
    """Knows compose's own tag `!reset`: the value that an overlay takes away."""


Loader.add_constructor("!reset", lambda *_: None)


def compose() -> dict[str, Any]:
    return yaml.load(COMPOSE_FILE.read_text(), Loader)


SERVICES: Final = compose()["services"]
OUR_SETTINGS: Final[dict[str, type[ServiceSettings]]] = {
    "intake": IntakeSettings,
    "routing": RoutingSettings,
    "sla": SlaSettings,
    "query": QuerySettings,
}
LASTING: Final = [name for name, it in SERVICES.items() if it["restart"] != "no"]
VARIABLES: Final = sorted({name for name, _ in REQUIRED.findall(COMPOSE_FILE.read_text())})


def an_environment(**changes: str | None) -> dict[str, str]:
    """A complete .env, with changes; None takes a variable away. Nothing of this machine's is in it."""
    values = {name: f"a-random-value-of-{name.lower()}" for name in VARIABLES} | changes
    kept = {name: value for name, value in values.items() if value is not None}
    # no .env beside the file may fill what a test takes away
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "COMPOSE_DISABLE_ENV_FILE": "1",
    } | kept


def configure(*files: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("docker compose is not installed")
    named = [part for file in ("docker-compose.yml", *files) for part in ("--file", file)]
    return subprocess.run(
        [docker, "compose", *named, "config", "--quiet"],
        cwd=ROOT,
        env=an_environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_service_has_a_health_check_and_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["healthcheck"]["start_period"]
    limits = service["deploy"]["resources"]["limits"]
    assert limits["memory"]
    assert limits["cpus"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_tag_that_says_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    _, colon, tag = image.partition(":")
    assert colon
    assert re.match(r"v?\d", tag), image


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_gains_privileges(name: str) -> None:
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]
    assert not SERVICES[name].get("privileged", False)


@pytest.mark.parametrize("name", ["intake", "routing", "sla", "query", "bootstrap"])
def test_our_own_containers_write_nowhere_and_hold_no_capability(name: str) -> None:
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_only_the_front_door_is_published_and_only_to_this_machine() -> None:
    published = {name: it["ports"] for name, it in SERVICES.items() if "ports" in it}
    assert list(published) == ["caddy"]
    for port in published["caddy"]:
        assert port.startswith("${FRONT_ADDRESS:-127.0.0.1}:")


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_is_written_down(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        text = str(value)
        if SECRET_NAME.search(variable):
            assert REQUIRED.fullmatch(text), variable
        in_url = CREDENTIAL_IN_URL.search(text)
        assert in_url is None or REQUIRED.fullmatch(in_url["password"]), variable
    for word in SERVICES[name].get("command", []):
        assert "PASSWORD}" not in word, "arguments are seen by every process list"


def test_the_example_names_exactly_what_is_required() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    optional = {"FRONT_ADDRESS", "FRONT_PORT", "GRAFANA_PORT"}
    assert named - optional == set(VARIABLES)


def test_the_example_holds_no_secret() -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        if not line.startswith("#") and SECRET_NAME.search(name):
            assert value == ""


def test_services_wait_for_the_bootstrap_and_the_bootstrap_for_the_servers() -> None:
    for name in ("intake", "routing", "sla", "query"):
        awaited = SERVICES[name]["depends_on"]
        assert awaited["bootstrap"]["condition"] == "service_completed_successfully"
        assert (
            awaited["postgres"]["condition"] == awaited["kafka"]["condition"] == "service_healthy"
        )
    awaited = SERVICES["bootstrap"]["depends_on"]
    assert {it["condition"] for it in awaited.values()} == {"service_healthy"}


def test_kafka_never_creates_topics_by_itself() -> None:
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert "TICKETING_TOPIC_PARTITIONS" not in SERVICES["bootstrap"]["environment"], (
        f"compose keeps the product's own {PARTITIONS} partitions"
    )


def test_a_complete_environment_is_accepted() -> None:
    done = configure()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("absent", [None, ""], ids=["unset", "empty"])
def test_every_missing_secret_is_refused_by_its_name(absent: str | None) -> None:
    done = configure(**dict.fromkeys(VARIABLES, absent))
    assert done.returncode != 0
    refused = set(re.findall(r"required variable (\w+) is missing a value: run ", done.stderr))
    assert refused == set(VARIABLES)


def test_one_missing_secret_is_enough_to_refuse() -> None:
    done = configure(REDIS_PASSWORD=None)
    assert done.returncode != 0
    assert "REDIS_PASSWORD is missing a value: run deploy/compose/make-env" in done.stderr
    assert "POSTGRES_PASSWORD" not in done.stderr


@pytest.mark.parametrize(
    ("overlay", "variable"),
    [
        ("oncall.yml", "ONCALL_WEBHOOK_URL"),
        ("oidc.yml", "JWKS_URL"),
        ("mail.yml", "MAIL_HOSTNAME"),
    ],
)
def test_an_overlay_asks_for_its_address(overlay: str, variable: str) -> None:
    file = f"deploy/compose/{overlay}"
    refused = configure(file)
    assert refused.returncode != 0
    assert f"required variable {variable} is missing a value" in refused.stderr
    accepted = configure(file, **{variable: "https://example.org/x"})
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.parametrize("name", OUR_SETTINGS)
def test_each_service_may_be_given_any_setting_and_its_example_names_real_ones(name: str) -> None:
    folder = f"deploy/compose/settings/{name}"
    assert SERVICES[name]["env_file"] == [{"path": f"{folder}/service.env", "required": False}]
    mine = [it for it in SERVICES[name]["volumes"] if it.startswith("./deploy/compose/settings")]
    assert mine == [f"./{folder}:/etc/ticketing/settings:ro"]
    example = (ROOT / folder / "service.env.example").read_text()
    named = re.findall(r"^(?:# )?TICKETING_(\w+)=", example, re.MULTILINE)
    assert named
    assert [one for one in named if one.lower() not in OUR_SETTINGS[name].model_fields] == []
    assert [
        f"TICKETING_{one}" for one in named if f"TICKETING_{one}" in SERVICES[name]["environment"]
    ] == []


def test_nothing_enters_an_image_unless_it_is_named() -> None:
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and line[0] != "#"
    ]
    assert lines[0] == "*"
    assert not [
        line for line in lines if line.startswith("!") and (".env" in line or ".ticketing" in line)
    ]

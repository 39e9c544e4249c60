"""The alert rules mean what they say, and Alertmanager and Grafana can read what we give them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from shared.observability import metrics

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
COMPOSE: Final = DEPLOY.parent / "docker-compose.yml"
OLDEST: Final = {"promtool": (2, 0), "amtool": (0, 28)}
"""A distribution's amtool may be years old and not know a webhook's `url_file` (0.26) and `timeout` (0.28)."""


def run(tool: str, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs promtool or amtool: the installed one if it is new enough, else the one in the image that compose names."""
    if shutil.which(tool) and _version(tool) >= OLDEST[tool]:
        command = [tool]
    else:
        image = yaml.safe_load(COMPOSE.read_text())["services"][service]["image"]
        if (
            shutil.which("docker") is None
            or subprocess.run(
                ["docker", "image", "inspect", image], capture_output=True, check=False
            ).returncode
        ):
            pytest.skip(f"no new enough {tool} is installed, and no Docker engine here has {image}")
        command = [
            "docker",
            "run",
            "--rm",
            "--network=none",
            f"--volume={DEPLOY}:{DEPLOY}:ro",
            f"--workdir={DEPLOY}",
            f"--entrypoint={tool}",
            image,
        ]
    return subprocess.run(
        [*command, *arguments], cwd=DEPLOY, capture_output=True, text=True, timeout=120, check=False
    )


def _version(tool: str) -> tuple[int, ...]:
    said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    assert found, said
    return tuple(map(int, found.groups()))


@pytest.mark.parametrize("cases", ["alerts.yml", "budgets.yml", "oncall.yml"])
def test_alerts_act_and_stay_quiet_as_their_own_tests_say(cases: str) -> None:
    done = run("promtool", "prometheus", "test", "rules", f"prometheus/tests/{cases}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "rules", sorted((DEPLOY / "prometheus" / "rules").glob("*.yml")), ids=lambda it: it.stem
)
def test_rules_are_well_formed(rules: Path) -> None:
    done = run("promtool", "prometheus", "check", "rules", "--lint-fatal", str(rules))
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_its_configuration() -> None:
    done = run("promtool", "prometheus", "check", "config", "prometheus/prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 rule files found" in done.stdout


@pytest.mark.parametrize("name", ["alertmanager.yml", "oncall.yml"])
def test_alertmanager_reads_its_configuration(name: str) -> None:
    done = run("amtool", "alertmanager", "check-config", f"alertmanager/{name}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [(["severity=page"], "oncall"), (["severity=ticket"], "oncall"), ([], "oncall")],
)
def test_with_a_pager_every_alert_reaches_somebody(labels: list[str], receiver: str) -> None:
    done = run(
        "amtool",
        "alertmanager",
        "config",
        "routes",
        "test",
        "--config.file=alertmanager/oncall.yml",
        f"--verify.receivers={receiver}",
        *labels,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules" / "alerts.yml").read_text())["groups"]
    for rule in [rule for group in groups for rule in group["rules"]]:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]


def test_dashboards_ask_only_the_data_sources_that_are_provisioned() -> None:
    provisioned = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/datasources.yml").read_text()
    )
    known = {source["uid"] for source in provisioned["datasources"]}
    dashboards = list((DEPLOY / "grafana" / "dashboards").glob("*.json"))
    assert dashboards
    for path in dashboards:
        panels = [
            panel for panel in json.loads(path.read_text())["panels"] if panel["type"] != "row"
        ]
        assert panels
        for panel in panels:
            assert panel["description"], panel["title"]
            for target in panel["targets"]:
                assert target["datasource"]["uid"] in known, panel["title"]


def test_rules_and_dashboards_ask_only_for_metrics_that_exist() -> None:
    exposed = "".join(
        metrics.exposition(room).decode() for room in ("intake", "routing", "sla", "query")
    )
    known = set(re.findall(r"^# TYPE (ticketing_\w+)", exposed, re.MULTILINE))
    assert known
    sources = [
        *(DEPLOY / "prometheus" / "rules").glob("*.yml"),
        *(DEPLOY / "grafana").rglob("*.json"),
    ]
    for path in sources:
        asked = set(re.findall(r"\bticketing_\w+", path.read_text()))
        for name in asked:
            whole = re.sub(r"_(bucket|count|sum|total)$", "", name)
            assert known & {name, whole, f"{whole}_total"}, f"{path.name}: {name}"

"""`ticketing sla backtest`, `judge-again`, `reapply` on a terminal: progress on standard error, the answer apart."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from deploy.front_door import FrontDoor, RequestRefused
from deploy.imports.access import address, bearer
from deploy.local.problems import CannotStart
from shared.security.principal import Role

_BACKTEST: Final = "/v1/sla/backtest"
_JUDGEMENTS: Final = "/v1/sla/judgements"
_REAPPLICATIONS: Final = "/v1/sla/reapplications"


class Promises:
    """The promises of an installation, through its front door.

    Args:
        url: of the front door; None for the one in `.ticketing`.
        token: of a supervisor; None for one of this installation's own issuer.
    """

    def __init__(self, url: str | None, token: str | None) -> None:
        self._door = FrontDoor(
            address(url), bearer(token, subject="ticketing-sla", role=Role.SUPERVISOR)
        )

    def backtest(self, question: dict[str, Any]) -> dict[str, Any]:
        """The result of a trial."""
        return self._result(_BACKTEST, question)

    def judge_again(self, judgement: dict[str, Any]) -> dict[str, Any]:
        """The result of a second judgement, which is kept."""
        return self._result(_JUDGEMENTS, judgement)

    def reapply(self) -> dict[str, Any]:
        """The command as it was accepted."""
        try:
            return self._door.call("POST", _REAPPLICATIONS)
        except RequestRefused as refusal:
            raise CannotStart(str(refusal)) from None
        except httpx2.TransportError as error:
            raise CannotStart(f"the front door does not answer: {error}") from None

    def _result(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] | None = None
        console = Console(stderr=True)
        try:
            with Progress(console=console, transient=True) as progress:
                task = progress.add_task("Reading the log", total=None)
                for line in self._door.lines("POST", path, body):
                    if told := line.get("progress"):
                        progress.update(
                            task, total=told["events_total"], completed=told["events_read"]
                        )
                    result = line.get("result", result)
        except RequestRefused as refusal:
            raise CannotStart(str(refusal)) from None
        except httpx2.TransportError as error:
            raise CannotStart(f"the front door did not answer to the end: {error}") from None
        if result is None:
            raise CannotStart("the answer ended without a result; the service's log says why")
        return result


def read_drafts(files: list[Path]) -> list[dict[str, Any]]:
    """Policies out of JSON or YAML files; one without `id` is called as its file.

    Raises:
        CannotStart: a file cannot be read, or holds no object.
    """
    return [draft for file in files for draft in _drafts(file)]


def _drafts(file: Path) -> Iterator[dict[str, Any]]:
    try:
        text = sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CannotStart(f"{file}: {error}") from None
    for draft in found if isinstance(found, list) else [found]:
        if not isinstance(draft, dict):
            raise CannotStart(f"{file}: a policy is an object, with targets and conditions")
        # What `GET /v1/policies/{id}` answers is taken as it is.
        document = draft["definition"] | {"id": draft["id"]} if "definition" in draft else draft
        yield {"id": file.stem, **document}


def show(result: dict[str, Any], *, as_json: bool) -> None:
    """The result as tables, or as one line of JSON."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    drafts = ", ".join(result["drafts"]) or "the policies as they are now"
    console.print(
        f"{result['tickets_count']} tickets opened from {result['since'][:16]} to"
        f" {result['until'][:16]} UTC, judged by {drafts}."
    )
    table = Table("metric", "", "met", "breached", "open", "cancelled", "kept")
    for metric, sides in result["metrics"].items():
        for side in ("draft", "happened"):
            one = sides[side]
            kept = "" if one["attained_percent"] is None else f"{one['attained_percent']} %"
            figures = [str(one[name]) for name in ("met", "breached", "open", "cancelled")]
            table.add_row(metric if side == "draft" else "", side, *figures, kept)
    console.print(table)
    for title, counts in (
        ("group", result["breaches_by_group"]),
        (
            f"hour ({result['timezone']})",
            {f"{hour:02}": counts for hour, counts in enumerate(result["breaches_by_hour"])},
        ),
        ("tickets in the agent's hands", result["breaches_by_load"]),
    ):
        table = Table(f"breaches by {title}", "draft", "happened")
        for name, sides in counts.items():
            if sides["draft"] or sides["happened"]:
                table.add_row(name, str(sides["draft"]), str(sides["happened"]))
        if table.row_count:
            console.print(table)
    changes = result["changes"]
    console.print(
        f"{changes['newly_breached']} newly breached, {changes['no_longer_breached']} no longer,"
        f" {changes['otherwise']} clocks otherwise."
    )
    for ticket in result["tickets"]:
        for change in ticket["changes"]:
            console.print(
                f"  #{ticket['number']} {change['metric']} {change['cycle']}:"
                f" {change['draft'] or 'not promised'}, was {change['happened'] or 'not promised'}"
            )
    unknown = [f"{name}: {count}" for name, count in result["unknown"].items() if count]
    for note in [*result["notes"], *unknown]:
        console.print(f"Note: {note}")

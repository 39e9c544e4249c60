"""`ticketing rules` on a terminal: plain text without colours, so that it can be read in a log as well."""

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import httpx2
import msgspec

from deploy.front_door import FrontDoor, RequestRefused
from deploy.imports.access import address, bearer
from deploy.local.problems import CannotStart
from deploy.rules.files import RuleFile, as_yaml
from deploy.rules.kinds import ROUTING, RuleKind
from shared.conditions import describe
from shared.errors import FieldError
from shared.events.agents import RoutingRule
from shared.security.principal import Role

_STALE: Final = 412
_MALFORMED: Final = 422
_SAMPLE_CHUNK: Final = 1_000
"""Tickets in one request of `try`; well below what the service takes."""


class Rules:
    """The rule set of an installation, through its front door.

    Args:
        url: of the front door; None for the one in `.ticketing`.
        token: of a supervisor; None for one of this installation's own issuer.
        kind: which rule set.
    """

    def __init__(self, url: str | None, token: str | None, kind: RuleKind = ROUTING) -> None:
        self._kind = kind
        role = Role.SUPERVISOR
        self._door = FrontDoor(address(url), bearer(token, subject="ticketing-rules", role=role))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.__exit__(None, None, None)

    def apply(self, file: RuleFile, *, is_dry_run: bool, is_sure: bool) -> int:
        """Compare, show, ask, put; the exit status."""
        current = self._call("GET", self._kind.path)
        version = current["version"]
        lines = list(_diff(current, file))
        if not lines:
            _say(f"Nothing to change: version {version} says the same.")
            return 0
        # Checked before anything is shown, so that nobody reads a difference that cannot be applied.
        checked = self._check(file)
        _say("\n".join(lines))
        _show_overshadowed(checked.get("overshadowed", []))
        if is_dry_run:
            _say("Nothing is applied (--dry-run).")
            return 0
        if not is_sure and not _confirmed(version):
            _say("Nothing is applied.")
            return 1
        try:
            done = self._call("PUT", self._kind.path, file.document, file=file, version=version)
        except RequestRefused as refusal:
            if refusal.status != _STALE:
                raise
            raise CannotStart(
                f"somebody has changed the rules meanwhile: they are no longer at version {version}."
                " Nothing is applied; look again"
            ) from None
        _say(f"Applied as version {done['version']}.")
        return 0

    def document(self, version: int | None) -> dict[str, Any]:
        """The rule set in force, or as it was."""
        path = self._kind.path + ("" if version is None else f"/versions/{version}")
        return self._call("GET", path)

    def history(self) -> list[dict[str, Any]]:
        """Every version, newest first."""
        versions: list[dict[str, Any]] = self._call("GET", f"{self._kind.path}/history")["versions"]
        return versions

    def try_days(self, file: RuleFile, days: int, show: int) -> dict[str, Any]:
        """On the tickets of the last days."""
        body = file.document | {"days": days, "show": show}
        return self._call("POST", f"{self._kind.path}/dry-run", body, file=file)

    def try_past(self, file: RuleFile | None, asked: dict[str, Any]) -> dict[str, Any]:
        """Intake's rules on what has happened to tickets; without a file those in force."""
        body = asked if file is None else file.document | asked
        return self._call("POST", f"{self._kind.path}/dry-run", body, file=file)

    def try_sample(self, file: RuleFile, tickets: list[dict[str, Any]]) -> dict[str, Any]:
        """On these tickets."""
        whole: dict[str, Any] | None = None
        for start in range(0, max(1, len(tickets)), _SAMPLE_CHUNK):
            body = file.document | {"tickets": tickets[start : start + _SAMPLE_CHUNK]}
            try:
                part = self._call("POST", f"{self._kind.path}/dry-run", body, file=file)
            except RequestRefused as refusal:
                raise CannotStart(f"the sample is refused: {refusal}") from None
            whole = part if whole is None else _added(whole, part)
        assert whole is not None, "there is at least one request"
        return whole

    def _check(self, file: RuleFile) -> dict[str, Any]:
        return self._call(
            "POST", f"{self._kind.path}/dry-run", file.document | self._kind.check, file=file
        )

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        file: RuleFile | None = None,
        version: int | None = None,
    ) -> dict[str, Any]:
        try:
            return self._door.call(method, path, body, version=version)
        except RequestRefused as refusal:
            if file is not None and refusal.status == _MALFORMED:
                errors = [
                    FieldError(one["field"], one["message"])
                    for one in refusal.problem.get("errors", [])
                ]
                if errors and not errors[0].field.startswith("tickets"):
                    raise file.refused(errors) from None
            if refusal.status in {_STALE, _MALFORMED}:
                raise
            raise CannotStart(f"{method} {path}: {refusal}") from None
        except httpx2.TransportError as error:
            raise CannotStart(f"the front door does not answer: {error}") from None


def read_sample(path: Path) -> list[dict[str, Any]]:
    """Tickets, one JSON object a line.

    Raises:
        CannotStart: it cannot be read; the line is named.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CannotStart(f"{path}:{number}: {error}") from None
    return found


def show(document: dict[str, Any]) -> None:
    """The rules in order, each in a line or two."""
    mode = (
        "the first that matches counts" if document["mode"] == "first" else "all that match count"
    )
    _say(f"Rules, version {document['version']}: {mode}.")
    for number, raw in enumerate(document["rules"], start=1):
        rule = msgspec.convert(raw, RoutingRule)
        off = "" if rule.is_enabled else " (off)"
        _say(f"{number:>3}. {rule.id}{off}: {describe(rule.when)}")
        _say(f"     → {_results(rule)}" + (f"   # {rule.note}" if rule.note else ""))
    _say(
        f"     otherwise → {document['default_group'] or 'no group: the ticket waits for a person'}"
    )


def show_history(versions: list[dict[str, Any]]) -> None:
    """One line a version."""
    for one in versions:
        parts = [
            f"{what} {', '.join(one[what])}"
            for what in ("added", "changed", "removed", "moved")
            if one[what]
        ]
        told = "; ".join(parts) or "nothing but how they count"
        _say(f"{one['version']:>4}  {one['at'][:16].replace('T', ' ')} UTC  {one['by']}: {told}")


def show_trial(told: dict[str, Any], *, as_json: bool) -> None:
    """What the rules on trial would do: a line a ticket, then the sums."""
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    for ticket in told["tickets"]:
        _say(_ticket_line(ticket))
    _say(
        f"Tickets: {told['tickets_count']}; {told['changed_count']} change against version"
        f" {told['against_version']}, {told['unmatched_count']} taken by no rule,"
        f" {told['doubtful_count']} doubtful."
    )
    _say("By rule: " + ", ".join(f"{rule} {count}" for rule, count in told["by_rule"].items()))
    for before, after in told["moved"].items():
        for group, count in after.items():
            _say(f"  {before} → {group}: {count}")
    _show_overshadowed(told["overshadowed"])
    if told.get("is_cut_short"):
        _say("There are more tickets than are looked at; the newest were.")
    for note in told.get("notes", []):
        _say(f"Note: {note}")


def _show_overshadowed(rules: list[dict[str, Any]]) -> None:
    """A warning each: what logic alone cannot say of two regular expressions, tickets can."""
    for one in rules:
        others = ", ".join(f"{rule} {count}" for rule, count in one["by"].items())
        _say(
            f"Warning: rule {one['rule']} decides none of the {one['held_count']} tickets for which its conditions"
            f" hold; rules before it do ({others}; for example {one['example']})."
        )


def _ticket_line(ticket: dict[str, Any]) -> str:
    rules = "+".join(ticket["outcome"]["rules"]) or "no rule"
    before = "+".join(ticket["before"]["rules"]) or "no rule"
    changes = ", ".join(
        f"{one['what']} {_value(one['before'])} → {_value(one['after'])}"
        for one in ticket["changes"]
    )
    doubt = f" [{ticket['doubt']}]" if ticket.get("doubt") else ""
    return f"{ticket['id']}: {rules} (now {before}): {changes or 'no change'}{doubt}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} {level}" for name, level in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return "-" if value is None else str(value)


def _results(rule: RoutingRule) -> str:
    parts = [f"group {rule.group}"] if rule.group else []
    parts += [f"skill {name} {level}" for name, level in rule.skills.items()]
    parts += [f"rather {name} {level}" for name, level in rule.optional_skills.items()]
    parts += [f"priority {rule.priority.value}"] if rule.priority else []
    parts += [f"tag {tag}" for tag in rule.tags]
    parts += [f"shared by {rule.strategy.value}"] if rule.strategy else []
    return ", ".join(parts)


def _diff(current: dict[str, Any], file: RuleFile) -> Iterator[str]:
    before = as_yaml(file.kind.comparable(current)).splitlines()
    after = as_yaml(file.kind.comparable(file.document)).splitlines()
    now = f"version {current['version']}"
    return difflib.unified_diff(before, after, now, file.name, lineterm="")


def _added(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Two answers as one; ticket ids that were places count on."""
    for name in ("tickets_count", "changed_count", "unmatched_count", "doubtful_count"):
        whole[name] += part[name]
    for rule, count in part["by_rule"].items():
        whole["by_rule"][rule] = whole["by_rule"].get(rule, 0) + count
    for before, after in part["moved"].items():
        counts = whole["moved"].setdefault(before, {})
        for group, count in after.items():
            counts[group] = counts.get(group, 0) + count
    whole["tickets"] += part["tickets"]
    shaded = {one["rule"]: one for one in whole["overshadowed"]}
    for one in part["overshadowed"]:
        known = shaded.setdefault(one["rule"], one)
        if known is not one:
            known["held_count"] += one["held_count"]
            for rule, count in one["by"].items():
                known["by"][rule] = known["by"].get(rule, 0) + count
    whole["overshadowed"] = [one for name, one in shaded.items() if not whole["by_rule"][name]]
    return whole


def _confirmed(version: int) -> bool:
    if not sys.stdin.isatty():
        raise CannotStart("nobody can be asked here; give --yes to apply, or --dry-run to look")
    sys.stdout.write(f"Replace version {version}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")

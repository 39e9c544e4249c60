"""Intake's rules on a terminal: read in order, and what they would have done."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from services.intake.domain.rules.document import Rule
from shared.conditions import describe


def show(document: dict[str, Any]) -> None:
    """The rules in order, each in a few lines."""
    _say(f"Rules of intake, version {document['version']}.")
    for number, raw in enumerate(document["rules"], start=1):
        rule = msgspec.convert(raw, Rule)
        marks = "".join((" (off)" if not rule.is_enabled else "", " (once)" if rule.once else ""))
        _say(f"{number:>3}. {rule.id}{marks}: {rule.title}")
        when = describe([one.plain() for one in rule.when])
        _say(f"     {_start(rule)}, if {when}" if rule.when else f"     {_start(rule)}")
        _say(
            f"     → {', '.join(_results(raw['actions']))}"
            + (f"   # {rule.note}" if rule.note else "")
        )


def show_tried(told: dict[str, Any], *, as_json: bool) -> None:
    """A line for each rule that would have had its turn, then the sums."""
    if as_json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    for ticket in told["tickets"]:
        _say(f"#{ticket['number']} {ticket['subject']}")
        for run in ticket["runs"]:
            _say(f"  {run['at'][:16].replace('T', ' ')} UTC  {run['rule']}: {_outcome(run)}")
    _say(
        f"Tickets: {told['tickets_count']}; rules would have touched {len(told['tickets'])}. By rule: "
        + (", ".join(f"{rule} {count}" for rule, count in told["by_rule"].items()) or "none")
    )
    for note in told["notes"]:
        _say(f"Note: {note}")


def _start(rule: Rule) -> str:
    if rule.after is None:
        return "on " + " or ".join(one.replace("_", " ") for one in rule.events)
    after = rule.after
    amount = next(
        f"{count} {unit}"
        for count, unit in (
            (after.seconds, "seconds"),
            (after.minutes, "minutes"),
            (after.hours, "hours"),
            (after.days, "days"),
        )
        if count is not None
    )
    calendar = f" of {after.calendar}" if after.calendar else ""
    return f"{amount}{calendar} after {after.since.replace('_', ' ')}"


def _outcome(run: dict[str, Any]) -> str:
    cause = run["cause"].replace("_", " ")
    if run["outcome"] != "applied":
        return f"{run['outcome']} on {cause}: {run['reason']}"
    changed = ", ".join(_changes(run.get("changes", [])))
    return f"on {cause}: {changed or 'all was so already'}"


def _changes(changes: list[dict[str, Any]]) -> Iterator[str]:
    for one in changes:
        if "before" in one:
            yield f"{one['what']} {one['before']} → {one['after']}"
        elif "after" in one:
            yield f"{one['what']} “{one['after'][:60]}”"
        else:
            yield f"{one['what']} +{' '.join(one.get('added', []))} -{' '.join(one.get('removed', []))}"


def _results(actions: dict[str, Any]) -> Iterator[str]:
    for name, value in actions.items():
        told = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        yield f"{name} {told}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")

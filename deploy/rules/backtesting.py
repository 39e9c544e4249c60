"""`ticketing routing backtest` on a terminal: fetch the past, replay it in this process, print the differences."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.rules.files import RuleFile
from deploy.rules.judging import SIDES, Judged, judge
from deploy.rules.past import fetch, read_saved
from services.routing.api.documents import RulesBody
from services.routing.domain.agent import Agent, Group
from services.routing.domain.backtest import Backtest, Figures, Material, compare, play
from services.routing.domain.hours import Calendars
from services.routing.domain.people import check_rules
from services.routing.domain.roster import Roster
from shared.errors import Invalid

MODEL: Final = (
    "Promises are judged by the policies as they are now, also for what happened. An assignment that comes earlier or"
    " later moves what its agent did afterwards, and the answers to that, by the same time; what the customer writes"
    " while the ticket waits stays, and is heard by the agent at the latest when the ticket is given out."
)
UNPROMISED: Final = "This history was saved without timelines: promises are not judged."


def run(
    file: RuleFile,
    *,
    days: int,
    history: Path | None,
    save: Path | None,
    as_json: bool,
    url: str | None,
    token: str | None,
) -> None:
    """Replay under the rules of the file and print.

    Raises:
        CannotStart: there is no history, or the rules cannot be used with it.
    """
    past = fetch(days, url, token, save) if history is None else read_saved(history)
    material = past.material
    body = msgspec.convert(file.document, RulesBody)
    rules = body.ordered()
    try:
        check_rules(_known(material), rules, body.mode)
    except Invalid as refusal:
        raise file.refused(list(refusal.errors)) from None
    played = play(material, rules, body.mode)
    judged = judge(played, past)
    told = compare(played)
    notes = (*told.notes, MODEL if judged is not None else UNPROMISED)
    told = msgspec.structs.replace(told, notes=notes)
    if as_json:
        answer = {**msgspec.structs.asdict(told), "promises": judged}
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        return
    _show(told, material, file.name)
    _show_promises(judged)
    for note in told.notes:
        _say(f"Note: {note}")


def _known(material: Material) -> Roster:
    """Who and what is there at the end of the window, for the rules to name."""
    setting = material.setting
    profiles = {one.agent_id: one.profile for one in setting.agents}
    profiles |= {one.agent_id: one.profile for one in material.moments if one.profile is not None}
    return Roster(
        agents=[
            Agent(agent_id=name, position=place, profile=profile)
            for place, (name, profile) in enumerate(profiles.items())
        ],
        groups=[Group(group_id=name, profile=one) for name, one in setting.groups.items()],
        calendars=Calendars(setting.calendars),
    )


def _show(told: Backtest, material: Material, name: str) -> None:
    _say(
        f"Tickets that came from {told.counted_from:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC,"
        f" replayed under version {material.setting.rules_version} and under {name}:"
    )
    rows: list[tuple[str, Callable[[Figures], Any]]] = [
        ("tickets", lambda one: one.tickets),
        ("assigned", lambda one: one.assigned),
        ("waiting at the end", lambda one: one.waiting),
        ("without a group", lambda one: one.unrouted),
        ("wait p50", lambda one: _duration(one.wait_p50)),
        ("wait p90", lambda one: _duration(one.wait_p90)),
        ("wait p99", lambda one: _duration(one.wait_p99)),
        (
            "tickets per agent",
            lambda one: " / ".join(f"{each:g}" for each in one.tickets_per_agent),
        ),
        ("load spread", lambda one: f"{one.load_spread:.2f}"),
    ]
    _say(f"{'':<20}{'happened':>18}{'replay, now':>18}{'replay, new':>18}")
    for what, of in rows:
        figures = (told.recorded, told.current, told.wanted)
        _say(f"{what:<20}" + "".join(f"{of(one)!s:>18}" for one in figures))
    for group in sorted({*told.current.by_group, *told.wanted.by_group}):
        counts = (told.current.by_group.get(group, 0), told.wanted.by_group.get(group, 0))
        _say(f"{'  ' + group:<20}{'':>18}{counts[0]:>18}{counts[1]:>18}")
    if told.same_agent_share is not None:
        _say(
            f"The replay of the rules in force gave {told.same_agent_share:.0%} of the tickets to the"
            " agent who really got them."
        )
    for reason, count in told.left_out.items():
        _say(f"Left out: {count} ({reason})")


def _show_promises(judged: Judged | None) -> None:
    """Every metric and policy: what was broken of what was promised; and where."""
    if judged is None:
        return
    _say(f"{'broken promises':<20}")
    for counts in (judged.metrics, judged.policies):
        for name, sides in counts.items():
            figures = [_broken(sides[side]) for side in SIDES]
            _say(f"{'  ' + name:<20}" + "".join(f"{one:>18}" for one in figures))
    for group, breaches in judged.breaches_by_group.items():
        _say(f"{'  in ' + group:<20}" + "".join(f"{breaches[side]:>18}" for side in SIDES))
    if judged.unknown:
        _say(f"Without a timeline, so not judged: {judged.unknown}")


def _broken(counts: dict[str, int]) -> str:
    """What was cancelled is promised no more."""
    return f"{counts['breached']} of {sum(counts.values()) - counts['cancelled']}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")

"""What was promised, and was it kept? Judge tickets by policies of your own."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True)

_Drafts = Annotated[
    list[Path] | None,
    typer.Option("--policy", metavar="DRAFT", help="A policy as JSON or YAML; may be repeated."),
]
_Days = Annotated[int, typer.Option(min=1, max=366, help="Tickets opened in the last days.")]
_Until = Annotated[
    str | None, typer.Option(help="Count back from this moment, 2026-01-31T09:00:00Z; else now.")
]
_Zone = Annotated[str, typer.Option("--timezone", help="Whose hours are counted.")]
_Show = Annotated[int, typer.Option("--show", min=0, max=2000, help="Changed tickets to name.")]
_AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
_Url = Annotated[str | None, typer.Option(help="The front door; without it that of `.ticketing`.")]
_Token = Annotated[
    str | None, typer.Option(envvar="TICKETING_TOKEN", help="A token of a supervisor elsewhere.")
]


@app.callback()
def sla() -> None:
    """What was promised, and was it kept? Judge tickets by policies of your own."""


@app.command()
def evaluate(
    file: Annotated[
        Path, typer.Argument(allow_dash=True, help="Questions, one JSON a line; - is stdin.")
    ] = Path("-"),
) -> None:
    """Judge timelines by the policies and calendars given with them: NDJSON in, NDJSON out (docs/sla-evaluate.md)."""
    from deploy.commands._ndjson import filter_lines  # noqa: PLC0415 - keeps `--help` fast
    from services.sla.evaluation import (  # noqa: PLC0415
        TimelineQuestion,
        answer_line,
        answer_timeline,
        refused_line,
    )

    filter_lines(
        file,
        lambda raw, index: answer_line(raw, index, TimelineQuestion, answer_timeline),
        lambda index, refusal: refused_line(b"", index, refusal),
    )


@app.command()
def backtest(
    *,
    policy: _Drafts = None,
    days: _Days = 30,
    until: _Until = None,
    timezone: _Zone = "UTC",
    show: _Show = 20,
    as_json: _AsJson = False,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Print what a draft would have come to on the tickets of the last days (docs/sla-backtest.md)."""
    from deploy import promises  # noqa: PLC0415 - keeps `--help` fast

    question = _question(policy, days, until, timezone, show)
    promises.show(promises.Promises(url, token).backtest(question), as_json=as_json)


@app.command("judge-again")
def judge_again(
    label: Annotated[str, typer.Argument(help="What the second judgement is called from now on.")],
    *,
    policy: _Drafts = None,
    days: _Days = 30,
    until: _Until = None,
    timezone: _Zone = "UTC",
    show: _Show = 20,
    as_json: _AsJson = False,
    url: _Url = None,
    token: _Token = None,
) -> None:
    """Judge the tickets of the last days again, and keep it beside the first judgement, which stands."""
    from deploy import promises  # noqa: PLC0415 - keeps `--help` fast

    judgement = {"label": label, **_question(policy, days, until, timezone, show)}
    promises.show(promises.Promises(url, token).judge_again(judgement), as_json=as_json)


@app.command()
def reapply(*, url: _Url = None, token: _Token = None) -> None:
    """Match the policies in force anew for every ticket with a living clock; past verdicts stand."""
    from deploy import promises  # noqa: PLC0415 - keeps `--help` fast

    accepted = promises.Promises(url, token).reapply()
    typer.echo(
        f"Accepted as {accepted['reapplication_id']}; GET /v1/sla/reapplications says how far it is."
    )


@app.command()
def timers(
    *,
    mend: Annotated[bool, typer.Option(help="Put them where they belong.")] = False,
    database: Annotated[
        str | None,
        typer.Option(
            envvar="TICKETING_DATABASE_URL",
            help="PostgreSQL URL of sla's role; default: the one of `make run`.",
        ),
    ] = None,
) -> None:
    """Work the timers of all tickets out anew from their clocks, beside the running service; 1 when some are wrong."""
    from deploy.timers import run  # noqa: PLC0415 - keeps `--help` fast

    raise typer.Exit(run(database, mends=mend))


def _question(
    files: list[Path] | None, days: int, until: str | None, timezone: str, show: int
) -> dict[str, Any]:
    from deploy.promises import read_drafts  # noqa: PLC0415

    asked = {"policies": read_drafts(files or []), "days": days, "timezone": timezone, "show": show}
    return asked if until is None else asked | {"until": until}

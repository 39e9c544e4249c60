"""What was promised, and was it kept? Judge tickets by policies of your own."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


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

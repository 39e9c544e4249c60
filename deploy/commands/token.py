"""Make a bearer token with this installation's own issuer."""

import re
import sys
from datetime import timedelta
from typing import Annotated, Final

import typer

from shared.security.principal import Role

app = typer.Typer()

_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SUBJECT_CHARS_MAX: Final = 255
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the bearer may do.")],
    subject: Annotated[str, typer.Option(help="Who it is: an agent's id, a customer's id.")],
    name: Annotated[str | None, typer.Option(help="The name people see.")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group's id; may be repeated.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it lasts: 30m, 8h, 90d.")] = "8h",
) -> None:
    """Print a token signed with the key in `.ticketing` (or TICKETING_HOME); `make run` makes that key."""
    from deploy.local.folder import default_home  # noqa: PLC0415 - keeps `--help` fast
    from deploy.local.problems import CannotStart  # noqa: PLC0415
    from shared.security.issuer import LocalIssuer  # noqa: PLC0415

    if not 0 < len(subject) <= _SUBJECT_CHARS_MAX or not subject.isprintable():
        raise typer.BadParameter(
            f"expected 1 to {_SUBJECT_CHARS_MAX} printable characters", param_hint="--subject"
        )
    lasts_seconds = _seconds(ttl)
    folder = default_home() / "keys"
    if not (folder / "signing.pem").exists():
        # A key made here would be one that no running service knows.
        raise CannotStart(f"no issuer in {folder}; start the product first, or set TICKETING_HOME")
    try:
        issuer = LocalIssuer(folder)
    except (OSError, ValueError) as error:
        raise CannotStart(f"the issuer's key cannot be used: {error}") from None
    made = issuer.issue(
        subject, role, name=name, email=email, groups=group or (), ttl_seconds=lasts_seconds
    )
    sys.stdout.write(made + "\n")


def _seconds(ttl: str) -> int:
    from shared.security.issuer import TTL_SECONDS_MAX  # noqa: PLC0415 - keeps `--help` fast

    found = _DURATION.fullmatch(ttl)
    if found is None:
        raise typer.BadParameter(
            "expected a number and s, m, h or d, such as 8h", param_hint="--ttl"
        )
    seconds = int(timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds())
    if seconds > TTL_SECONDS_MAX:
        raise typer.BadParameter("at most 366d", param_hint="--ttl")
    return seconds

"""Data to HTML: the templates, what they may call, and the headers that every page carries."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from services.query.parts import Parts
from services.query.views.told_promises import UNSCHEDULABLE
from services.query.web import words
from shared.security import Principal, Role

HEADERS: Final[Mapping[str, str]] = {
    # Nothing inline and nothing from another host: text that somebody typed can never run.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
STALE_SECONDS: Final = 10
"""A page says loudly that the newest known is older than this, or was known for so long and is not shown."""

_BEFORE_ANYTHING: Final = datetime(1971, 1, 1, tzinfo=UTC)
"""The views answer 1970 while a partition with events has none applied: a rebuild, not an age."""


def parts_of(request: Request) -> Parts:
    """The parts that `main` made; the API works with the same."""
    parts: Parts = request.app.state.parts
    return parts


def page(
    request: Request,
    template: str,
    principal: Principal | None = None,
    *,
    status: int = 200,
    **content: Any,
) -> HTMLResponse:
    """A whole page. Pages of people who are signed in say how fresh they are."""
    html = _TEMPLATES.get_template(template).render(
        principal=principal,
        is_staff=principal is not None and principal.may(Role.AGENT),
        sees_audit=principal is not None and principal.may(Role.SUPERVISOR),
        fresh=freshness(parts_of(request)) if principal else None,
        now=datetime.now(UTC),
        path=request.url.path,
        stale_seconds=STALE_SECONDS,
        **content,
    )
    return HTMLResponse(html, status_code=status, headers=dict(HEADERS))


def fragment(template: str, **content: Any) -> str:
    """A part of a page. `now` left away: countdowns stay empty, and the browser fills them at once.

    A part is then the same text as long as it says the same, so that it travels only when something changed.
    """
    return _TEMPLATES.get_template(template).render(**{"now": None, **content}).strip()


def freshness(parts: Parts) -> dict[str, Any]:
    """How old what is shown may be, as the browser needs it to go on counting."""
    return described(parts.freshness())


def described(said: Mapping[str, Any]) -> dict[str, Any]:
    """The same from an answer of the board, whose moments are text already."""
    as_of = moment(said["as_of"])
    is_known = as_of is not None and as_of > _BEFORE_ANYTHING
    return {
        "as_of": _iso(as_of) if is_known else None,
        "seconds": said["freshness_seconds"] if is_known else None,
        "position": said["position"],
        "behind": said["behind_events"],
        "problem": said["freshness_problem"],
        "now": _iso(datetime.now(UTC)),
    }


def moment(value: datetime | str | None) -> datetime | None:
    """A moment from a row (datetime) or from JSON in a row (text)."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _iso(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="milliseconds") if value else None


def _iso_of(value: datetime | str | None) -> str | None:
    return _iso(moment(value))


def _time(value: datetime | str | None, kind: str = "date") -> Markup | str:
    """A moment that the browser turns into its reader's time zone. Kinds: `date`, `exact`, `clock`, `ago`."""
    at = moment(value)
    if at is None:
        return words.NOTHING
    at = at.astimezone(UTC)
    day = "" if kind == "clock" else f"{at:%Y-%m-%d} "
    shown = f"{day}{at:%H:%M:%S} UTC" if kind in {"clock", "exact"} else f"{day}{at:%H:%M} UTC"
    return Markup('<time datetime="{}" data-time="{}">{}</time>').format(_iso(at), kind, shown)


def _due(value: datetime | str | None, now: datetime | None = None) -> Markup | str:
    """A countdown that ticks in the browser."""
    at = moment(value)
    if at is None:
        return words.NOTHING
    left = (at - now).total_seconds() if now else None
    state = "" if left is None else " late" if left < 0 else ""
    shown = "" if left is None else words.countdown(left)
    return Markup('<time class="due{}" datetime="{}" data-due>{}</time>').format(
        state, _iso(at), shown
    )


def _bar(value: float | None, whole: float | None, state: str = "") -> Markup:
    """How much of something is used: a drawing beside a number, never instead of it.

    An SVG, because widths in a style attribute are forbidden to pages without inline styles.
    """
    share = min(max((value or 0) / whole, 0.0), 1.0) if whole else 0.0
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="6"/><rect class="fill" width="{:.1f}" height="6"/></svg>'
    ).format(escape(state), share * 100)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,  # everything from outside is text, whatever it looks like
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(time=_time, due=_due, bar=_bar, iso=_iso_of, words=words)
    environment.filters.update(
        status=lambda value: words.called(words.STATUS, value),
        priority=lambda value: words.called(words.PRIORITY, value),
        presence=lambda value: words.called(words.PRESENCE, value),
        customer_state=lambda value: words.called(words.CUSTOMER_STATE, value),
        relation=lambda value: words.called(words.RELATION, value),
        metric=lambda value: words.called(words.METRIC, value),
        unschedulable=lambda value: words.called(UNSCHEDULABLE, value),
        channel=lambda value: words.called(words.CHANNEL, value),
        duration=words.duration,
        promised=words.promised,
        value=words.value,
        amount=words.amount,
    )
    return environment


_TEMPLATES: Final = _environment()

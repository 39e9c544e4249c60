"""`/v1/reports/subscriptions`: reports that come by mail. Supervisors and admins only."""

import re
from datetime import time
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.query import subscriptions
from services.query.api.answers import Text, answer
from services.query.api.reports_by_name import FORECAST
from services.query.catalogue import REPORTS
from services.query.own_log import stamp
from services.query.parts import Parts
from services.query.settings import Settings
from services.query.subscriptions import Subscription
from shared.calendar.zones import zone_of
from shared.errors import Invalid, Refused
from shared.events import Channel
from shared.identifiers import is_slug
from shared.security import Principal, Role, require

RECIPIENTS_MAX: Final = 50
_TITLE_CHARS_MAX: Final = 150
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR, machines=False))]
Id = Annotated[str, Path(max_length=64)]


class NoMailServer(Refused):
    """There is no way out for mails: the settings name none."""


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or ".." in text:
        raise ValueError("must be a plain address like lead@example.com")
    return text.lower()


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


class SubscriptionBody(BaseModel):
    """A subscription as it is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    report: Text
    period: Literal["day", "week", "month"]
    time_zone: Text
    recipients: Annotated[
        list[Annotated[str, Field(max_length=320), AfterValidator(_address)]],
        Field(min_length=1, max_length=RECIPIENTS_MAX),
    ]
    at: Annotated[str, Field(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$")] = "06:00"
    format: Literal["html", "csv"] = "html"
    by: Text | None = None
    group: Text | None = None
    channel: Channel | None = None
    title: (
        Annotated[str, Field(min_length=1, max_length=_TITLE_CHARS_MAX), AfterValidator(_one_line)]
        | None
    ) = None


def make_router(parts: Parts) -> APIRouter:
    """The routes; they come before those of `/reports/{name}`."""
    router = APIRouter(prefix="/reports/subscriptions", tags=["reports"])

    @router.get("", summary="Every subscription, with what became of its mails.")
    async def list_subscriptions(_principal: Supervisor) -> Response:
        found = await subscriptions.listed(await parts.pool())
        return answer(parts, {"subscriptions": found, "can_send": can_send(parts.settings)})

    @router.get("/{subscription_id}", summary="One subscription.")
    async def read_subscription(subscription_id: Id, _principal: Supervisor) -> Response:
        (found,) = await subscriptions.listed(await parts.pool(), subscription_id)
        return answer(parts, found)

    @router.put(
        "/{subscription_id}", summary="Send a report by mail: each period once, when it is over."
    )
    async def put_subscription(
        subscription_id: Id, body: SubscriptionBody, request: Request, principal: Supervisor
    ) -> Response:
        if not is_slug(subscription_id):
            raise Invalid.of(
                "path subscription_id", "small letters, digits, dots and dashes; at most 64"
            )
        wanted = _checked(body, parts.settings)
        if not can_send(parts.settings):
            raise NoMailServer(
                "No mail can leave: set TICKETING_REPORT_MAIL_HOST, TICKETING_REPORT_MAIL_SENDER"
                " and TICKETING_PUBLIC_URL."
            )
        found, is_new = await subscriptions.put(
            await parts.pool(), subscription_id, wanted, by=stamp(request, principal)
        )
        response = answer(parts, found)
        if is_new:
            response.status_code = 201
            response.headers["Location"] = request.url.path
        return response

    @router.delete("/{subscription_id}", status_code=204, summary="No more of these mails.")
    async def delete_subscription(
        subscription_id: Id, request: Request, principal: Supervisor
    ) -> Response:
        await subscriptions.remove(
            await parts.pool(), subscription_id, by=stamp(request, principal)
        )
        return Response(status_code=204)

    return router


def can_send(settings: Settings) -> bool:
    """Whether the settings name a way out and where links lead."""
    needed = (settings.report_mail_host, settings.report_mail_sender, settings.public_url)
    return all(needed)


def _checked(body: SubscriptionBody, settings: Settings) -> Subscription:
    try:
        zone_of(body.time_zone)
    except (KeyError, OSError, ValueError):
        raise Invalid.of("time_zone", "an IANA name like Europe/Berlin") from None
    ways: dict[str, list[str]] = {name: list(one.by) for name, one in REPORTS.items()}
    ways[FORECAST] = ["hour"]
    if body.report not in ways:
        raise Invalid.of("report", f"one of {', '.join(ways)}")
    if body.by is not None and body.by not in ways[body.report]:
        raise Invalid.of("by", f"{body.report} is divided by {', '.join(ways[body.report])}")
    if report := REPORTS.get(body.report):
        for name, column in (("group", report.source.group), ("channel", report.source.channel)):
            if column is None and getattr(body, name) is not None:
                raise Invalid.of(name, f"{body.report} knows no {name}; it would be ignored")
    allowed = {one.strip().lower() for one in settings.report_mail_domains.split(",")} - {""}
    for place, address in enumerate(body.recipients):
        if allowed and address.rpartition("@")[2] not in allowed:
            raise Invalid.of(f"recipients[{place}]", "reports do not leave to this domain")
    said: dict[str, Any] = body.model_dump(include={"report", "period", "time_zone", "format"})
    return Subscription(
        **said,
        by=body.by,
        group=body.group,
        title=body.title,
        at=time.fromisoformat(body.at),
        recipients=tuple(dict.fromkeys(body.recipients)),
        channel=body.channel.value if body.channel else None,
    )

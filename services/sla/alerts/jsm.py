"""Jira Service Management Operations: alerts by the integration's events API, told apart by their alias."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from services.sla.alerts import wording
from services.sla.alerts.delivery import BAD_BODY
from services.sla.alerts.kind import Parts, SinkDocument
from services.sla.alerts.notice import Action, AlertNotice, Notice, SummaryEndNotice, SummaryNotice
from services.sla.alerts.sink import Sent

URL: Final = "https://api.atlassian.com/jsm/ops/integration"
MESSAGE_LENGTH_MAX: Final = 130
DESCRIPTION_LENGTH_MAX: Final = 15_000
"""Published limits of the API."""

_PRIORITY: Final = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
_SOURCE: Final = "ticketing"


class Responder(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who is to be told, by JSM's own id: a team, a user, an escalation or a schedule."""

    id: str
    type: str


class Jsm(SinkDocument, frozen=True, kw_only=True, tag="jsm"):
    """`api_key`: reference to the key of an API integration; `responders` and `tags`: as JSM is to set them."""

    api_key: str
    url: str = URL
    responders: tuple[Responder, ...] = ()
    tags: tuple[str, ...] = ()

    def build(self, name: str, parts: Parts) -> "JsmSink":
        """The sink.

        Raises:
            ValueError: the key is missing, or the URL is none.
        """
        return JsmSink(name, self, parts.secrets.read(self.api_key), parts)


class JsmSink:
    """Creates, acknowledges and closes. JSM takes a second creation with an alias for the same alert."""

    actions = frozenset(Action)
    batch_max = 1
    is_capped = True
    is_stateful = True
    refresh_every: timedelta | None = None

    def __init__(self, name: str, document: Jsm, api_key: str, parts: Parts) -> None:
        self.name = name
        self._document = document
        self._headers = {"authorization": f"GenieKey {api_key}"}
        self._public_url = parts.public_url
        self._poster = parts.poster(document.url, final_statuses=BAD_BODY)

    async def send(self, notices: Sequence[Notice]) -> Sent:
        """Post the one notice."""
        (notice,) = notices
        path, body = self._request(notice)
        answer = await self._poster.post(msgspec.json.encode(body), self._headers, path=path)
        return Sent(answer.status)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _request(self, notice: Notice) -> tuple[str, Mapping[str, Any]]:
        match notice:
            case AlertNotice(action=Action.ACKNOWLEDGE):
                return _about(notice, "acknowledge"), self._note(notice)
            case AlertNotice(action=Action.RESOLVE) | SummaryEndNotice():
                return _about(notice, "close"), self._note(notice)
            case AlertNotice() | SummaryNotice():
                return "/v2/alerts", self._alert(notice)

    def _note(self, notice: Notice) -> dict[str, str]:
        note = {"source": _SOURCE, "note": wording.title(notice)}
        if isinstance(notice, AlertNotice) and notice.alert.acknowledged_by:
            note["user"] = wording.cut(notice.alert.acknowledged_by, 100)
        return note

    def _alert(self, notice: AlertNotice | SummaryNotice) -> dict[str, Any]:
        lines = [f"{name}: {value}" for name, value in wording.facts(notice)]
        if isinstance(notice, SummaryNotice):
            lines += ["", *wording.listed(notice)]
        where = wording.link(notice, self._public_url)
        if where:
            lines += ["", where]
        body: dict[str, Any] = {
            "message": wording.cut(wording.title(notice), MESSAGE_LENGTH_MAX),
            "alias": wording.dedupe_key(notice),
            "description": wording.cut("\n".join(lines), DESCRIPTION_LENGTH_MAX),
            "source": _SOURCE,
            "priority": _PRIORITY[wording.severity(notice)],
            "tags": ["sla", *self._document.tags],
            "details": dict(wording.facts(notice)),
        }
        if where:
            body["details"]["Link"] = where
        if self._document.responders:
            body["responders"] = list(self._document.responders)
        return body


def _about(notice: Notice, verb: str) -> str:
    alias = quote(wording.dedupe_key(notice), safe="")
    return f"/v2/alerts/{alias}/{verb}?identifierType=alias"

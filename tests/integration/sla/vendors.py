"""What vendors publish about the bodies they take, as JSON Schemas of our own, and servers that hold us to them.

Sources: PagerDuty "Events API v2" (send an alert event), Atlassian "Jira Service Management ops, integration
events", Slack "Block Kit reference" and "chat.postMessage", Adaptive Cards 1.4 with "Create incoming webhooks
with Workflows" of Microsoft Teams.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from tests.support.listening import Listening

Schema = Mapping[str, Any]


def _object(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


def _text(length_max: int | None = None, **more: Any) -> dict[str, Any]:
    bounds = {} if length_max is None else {"maxLength": length_max}
    return {"type": "string", "minLength": 1, **bounds, **more}


_LINK: Final = _object(["href"], {"href": _text(format="uri"), "text": _text()})

_PAGERDUTY_KEYS: Final = {
    "routing_key": _text(32, minLength=32),
    "dedup_key": _text(255),
}
PAGERDUTY: Final[Schema] = {
    "oneOf": [
        _object(
            ["routing_key", "event_action", "payload"],
            {
                **_PAGERDUTY_KEYS,
                "event_action": {"const": "trigger"},
                "payload": _object(
                    ["summary", "source", "severity"],
                    {
                        "summary": _text(1024),
                        "source": _text(),
                        "severity": {"enum": ["critical", "error", "warning", "info"]},
                        "timestamp": _text(format="date-time"),
                        "component": _text(),
                        "group": _text(),
                        "class": _text(),
                        "custom_details": {"type": "object"},
                    },
                ),
                "images": {"type": "array"},
                "links": {"type": "array", "items": _LINK},
                "client": _text(),
                "client_url": _text(format="uri"),
            },
        ),
        _object(
            ["routing_key", "event_action", "dedup_key"],
            {**_PAGERDUTY_KEYS, "event_action": {"enum": ["acknowledge", "resolve"]}},
        ),
    ]
}

_RESPONDER: Final = _object(
    ["id", "type"],
    {"id": _text(), "type": {"enum": ["team", "user", "escalation", "schedule"]}},
)
JSM_CREATE: Final[Schema] = _object(
    ["message"],
    {
        "message": _text(130),
        "alias": _text(512),
        "description": _text(15_000),
        "responders": {"type": "array", "maxItems": 50, "items": _RESPONDER},
        "visibleTo": {"type": "array"},
        "actions": {"type": "array", "maxItems": 10, "items": _text(50)},
        "tags": {"type": "array", "maxItems": 20, "items": _text(50)},
        "details": {"type": "object", "additionalProperties": {"type": "string"}},
        "entity": _text(512),
        "source": _text(100),
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
        "user": _text(100),
        "note": _text(25_000),
    },
)
JSM_FOLLOW: Final[Schema] = _object(
    [], {"user": _text(100), "source": _text(100), "note": _text(25_000)}
)

_PLAIN: Final = _object(
    ["type", "text"],
    {"type": {"const": "plain_text"}, "text": _text(150), "emoji": {"type": "boolean"}},
)


def _mrkdwn(length_max: int) -> dict[str, Any]:
    return _object(
        ["type", "text"],
        {
            "type": {"const": "mrkdwn"},
            "text": _text(length_max),
            "verbatim": {"type": "boolean"},
        },
    )


_BLOCKS: Final = {
    "type": "array",
    "maxItems": 50,
    "items": {
        "oneOf": [
            _object(["type", "text"], {"type": {"const": "header"}, "text": _PLAIN}),
            {
                **_object(
                    ["type"],
                    {
                        "type": {"const": "section"},
                        "text": _mrkdwn(3_000),
                        "fields": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 10,
                            "items": _mrkdwn(2_000),
                        },
                    },
                ),
                "anyOf": [{"required": ["text"]}, {"required": ["fields"]}],
            },
            _object(
                ["type", "elements"],
                {
                    "type": {"const": "actions"},
                    "elements": {
                        "type": "array",
                        "maxItems": 25,
                        "items": _object(
                            ["type", "text"],
                            {
                                "type": {"const": "button"},
                                "text": _PLAIN,
                                "url": _text(3_000, format="uri"),
                                "action_id": _text(255),
                            },
                        ),
                    },
                },
            ),
        ]
    },
}
SLACK_WEBHOOK: Final[Schema] = _object(["text"], {"text": _text(40_000), "blocks": _BLOCKS})
SLACK_POST: Final[Schema] = _object(
    ["channel", "text"],
    {
        "channel": _text(),
        "text": _text(40_000),
        "blocks": _BLOCKS,
        "thread_ts": _text(pattern=r"^\d+\.\d+$"),
    },
)
SLACK_UPDATE: Final[Schema] = _object(
    ["channel", "ts", "text"],
    {
        "channel": _text(),
        "ts": _text(pattern=r"^\d+\.\d+$"),
        "text": _text(40_000),
        "blocks": _BLOCKS,
    },
)

_CARD_TEXT: Final = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {
        "type": {"const": "TextBlock"},
        "text": _text(),
        "wrap": {"type": "boolean"},
        "weight": {"enum": ["Default", "Lighter", "Bolder"]},
        "size": {"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
        "spacing": {"enum": ["None", "Small", "Default", "Medium", "Large", "ExtraLarge"]},
    },
    "additionalProperties": False,
}
_CARD: Final = _object(
    ["type", "version", "body"],
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "type": {"const": "AdaptiveCard"},
        "version": {"enum": ["1.0", "1.1", "1.2", "1.3", "1.4"]},
        "fallbackText": _text(),
        "msteams": {"type": "object"},
        "body": {
            "type": "array",
            "minItems": 1,
            "items": {
                "oneOf": [
                    _CARD_TEXT,
                    _object(
                        ["type", "facts"],
                        {
                            "type": {"const": "FactSet"},
                            "facts": {
                                "type": "array",
                                "minItems": 1,
                                "items": _object(
                                    ["title", "value"], {"title": _text(), "value": _text()}
                                ),
                            },
                        },
                    ),
                    _object(
                        ["type", "items"],
                        {
                            "type": {"const": "Container"},
                            "style": {
                                "enum": [
                                    *("default", "emphasis", "good"),
                                    *("attention", "warning", "accent"),
                                ]
                            },
                            "bleed": {"type": "boolean"},
                            "items": {"type": "array", "items": _CARD_TEXT},
                        },
                    ),
                ]
            },
        },
        "actions": {
            "type": "array",
            "items": _object(
                ["type", "url"],
                {
                    "type": {"const": "Action.OpenUrl"},
                    "title": _text(),
                    "url": _text(format="uri"),
                },
            ),
        },
    },
)
TEAMS: Final[Schema] = _object(
    ["type", "attachments"],
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": _object(
                ["contentType", "content"],
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": _CARD,
                },
            ),
        },
    },
)
TEAMS_BYTES_MAX: Final = 28_000
"""Larger messages are refused by Teams."""


@dataclass(frozen=True)
class Heard:
    path: str
    headers: dict[str, str]
    json: Any


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Vendor:
    """`answers`: what the next requests get instead of the vendor's own yes; `faults`: what its schema minds."""

    url: str
    heard: list[Heard] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: list[Reply | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    release: threading.Event = field(default_factory=threading.Event)


def _schema_of_jsm(path: str) -> Schema | None:
    if path == "/v2/alerts":
        return JSM_CREATE
    alias, _, verb = path.removeprefix("/v2/alerts/").partition("/")
    verbs = {"acknowledge?identifierType=alias", "close?identifierType=alias"}
    return JSM_FOLLOW if alias and verb in verbs else None


SCHEMAS: Final[Mapping[str, Callable[[str], Schema | None]]] = {
    "pagerduty": lambda path: PAGERDUTY if path == "/v2/enqueue" else None,
    "jsm": _schema_of_jsm,
    "slack-webhook": lambda path: SLACK_WEBHOOK if path.startswith("/services/") else None,
    "slack-bot": {
        "/api/chat.postMessage": SLACK_POST,
        "/api/chat.update": SLACK_UPDATE,
    }.get,
    "teams": lambda path: TEAMS if path.startswith("/workflows/") else None,
}


def _yes(kind: str, count: int, body: Any) -> Reply:
    match kind:
        case "pagerduty":
            said = {"status": "success", "message": "Event processed", "dedup_key": "k"}
            return 202, {}, json.dumps(said).encode()
        case "jsm":
            said = {"result": "Request will be processed", "requestId": f"r-{count}"}
            return 202, {}, json.dumps(said).encode()
        case "slack-bot":
            ts = body.get("ts") or f"1700000000.{count:06}"
            return 200, {}, json.dumps({"ok": True, "channel": "C0ONCALL", "ts": ts}).encode()
        case "teams":
            return 202, {}, b""
        case _:
            return 200, {}, b"ok"


HANGS: Final[Reply] = (0, {}, b"")
"""As an answer: none, until the test is over."""


@contextmanager
def vendor(kind: str) -> Iterator[Vendor]:
    """A server that takes what the vendor's schema takes, and answers 400 to anything else."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, body = self._answer(raw, headers)
            if status == 0:
                made.release.wait(30)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self, raw: bytes, headers: dict[str, str]) -> Reply:
            with made.lock:
                body = json.loads(raw)
                made.heard.append(Heard(self.path, headers, body))
                faults = _faults(SCHEMAS[kind](self.path), body)
                if kind == "teams" and len(raw) > TEAMS_BYTES_MAX:
                    faults.append(f"{len(raw)} bytes")
                made.faults += faults
                if faults:
                    return 400, {}, json.dumps({"errors": faults}).encode()
                wanted = made.answers.pop(0) if made.answers else None
                return wanted or _yes(kind, len(made.heard), body)

        def log_message(self, *args: Any) -> None:
            """Requests are kept, not printed."""

    server = Listening(("127.0.0.1", 0), Handler)
    made = Vendor(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _faults(schema: Schema | None, body: Any) -> list[str]:
    if schema is None:
        return ["no such address"]
    validator: Validator = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]

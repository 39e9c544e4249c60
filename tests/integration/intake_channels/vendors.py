"""Servers that take what Telegram, WhatsApp and a webhook's owner take, and nothing else.

The schemas are those of the vendors' documents: https://core.telegram.org/bots/api#sendmessage,
https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages and Standard Webhooks 1.0.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import jsonschema
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.serving import serving

TELEGRAM: Final = {
    "type": "object",
    "required": ["chat_id", "text"],
    "additionalProperties": False,
    "properties": {
        "chat_id": {"type": ["integer", "string"]},
        "text": {"type": "string", "minLength": 1, "maxLength": 4096},
        "parse_mode": {"enum": ["MarkdownV2", "HTML", "Markdown"]},
        "reply_parameters": {"type": "object"},
    },
}
WHATSAPP: Final = {
    "type": "object",
    "required": ["messaging_product", "to", "type"],
    "additionalProperties": False,
    "properties": {
        "messaging_product": {"const": "whatsapp"},
        "recipient_type": {"const": "individual"},
        "to": {"type": "string", "pattern": r"^\+?\d{5,20}$"},
        "type": {"enum": ["text", "template", "image", "document"]},
        "image": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}},
        },
        "document": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "filename": {"type": "string"}},
        },
        "text": {
            "type": "object",
            "required": ["body"],
            "additionalProperties": False,
            "properties": {
                "body": {"type": "string", "minLength": 1, "maxLength": 4096},
                "preview_url": {"type": "boolean"},
            },
        },
        "template": {
            "type": "object",
            "required": ["name", "language"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z0-9_]{1,512}$"},
                "language": {
                    "type": "object",
                    "required": ["code"],
                    "properties": {"code": {"type": "string"}},
                },
                "components": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["type", "parameters"],
                        "properties": {
                            "type": {"const": "body"},
                            "parameters": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["type", "text"],
                                    "properties": {
                                        "type": {"const": "text"},
                                        "text": {
                                            "type": "string",
                                            "maxLength": 1024,
                                            "pattern": r"^[^\n\t]+$",
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "oneOf": [{"required": [kind]} for kind in ("text", "template", "image", "document")],
}


class Vendors:
    """The server, what it has taken, and what it will answer next, or to every file of one kind (`refused`)."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[dict[str, Any]] = []
        self.next_answers: list[tuple[int, dict[str, Any]]] = []
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.refused: dict[str, dict[str, Any]] = {}
        self._uploads: dict[str, dict[str, Any]] = {}
        self._ids = count(1)

    async def telegram(self, request: Request) -> Response:
        body = await request.json()
        jsonschema.validate(body, TELEGRAM)
        if "text" in self.refused:
            return JSONResponse(self.refused["text"], 400)
        if self.next_answers:
            return self._refusal()
        self.taken.append({"to": str(body["chat_id"]), "text": body["text"]})
        return JSONResponse({"ok": True, "result": {"message_id": next(self._ids)}})

    async def whatsapp(self, request: Request) -> Response:
        body = await request.json()
        jsonschema.validate(body, WHATSAPP)
        assert request.headers["authorization"].startswith("Bearer ")
        if self.next_answers:
            return self._refusal()
        id_ = f"wamid.{next(self._ids)}"
        for kind in {"image", "document"} & body.keys():
            body |= self._uploads[body[kind]["id"]]
        self.taken.append({"to": body["to"], "id": id_, **body})
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": body["to"], "wa_id": body["to"]}],
                "messages": [{"id": id_}],
            }
        )

    async def telegram_upload(self, request: Request) -> Response:
        """`sendPhoto` and `sendDocument`: https://core.telegram.org/bots/api#sending-files."""
        kind = request.url.path.rpartition("/")[2].removeprefix("send").lower()
        async with request.form() as form:
            assert form.keys() == {"chat_id", kind}
            told = await _uploaded(form[kind])
            to = str(form["chat_id"])
        if kind in self.refused:
            return JSONResponse(self.refused[kind], 400)
        if self.next_answers:
            return self._refusal()
        self.taken.append({"to": to, "kind": kind, **told})
        return JSONResponse({"ok": True, "result": {"message_id": next(self._ids)}})

    async def whatsapp_upload(self, request: Request) -> Response:
        assert request.headers["authorization"].startswith("Bearer ")
        async with request.form() as form:
            assert form.keys() == {"messaging_product", "type", "file"}
            told = await _uploaded(form["file"])
            assert form["type"] == told["content_type"]
        if self.next_answers:
            return self._refusal()
        id_ = str(next(self._ids))
        self._uploads[id_] = told
        return JSONResponse({"id": id_})

    async def telegram_file(self, request: Request) -> Response:
        """`getFile`: https://core.telegram.org/bots/api#getfile."""
        id_ = (await request.json())["file_id"]
        if self.next_answers:
            return self._refusal()
        if id_ not in self.files:
            said = {"ok": False, "error_code": 400, "description": "Bad Request: file is too big"}
            return JSONResponse(said, 400)
        result = {"file_id": id_, "file_unique_id": "u", "file_path": f"photos/{id_}.jpg"}
        return JSONResponse({"ok": True, "result": result})

    async def whatsapp_media(self, request: Request) -> Response:
        """https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media."""
        assert request.headers["authorization"].startswith("Bearer ")
        if self.next_answers:
            return self._refusal()
        id_ = request.path_params["id"]
        host = "stranger.example" if id_ == "elsewhere" else f"127.0.0.1:{self.port}"
        said = {"id": id_, "url": f"http://{host}/media/{id_}.bin", "mime_type": "image/png"}
        return JSONResponse({"messaging_product": "whatsapp"} | said)

    async def content(self, request: Request) -> Response:
        id_ = request.path_params["name"].partition(".")[0]
        self.fetched.append(id_)
        if request.url.path.startswith("/media/"):
            assert request.headers["authorization"].startswith("Bearer ")
        return Response(self.files[id_])

    async def webhook(self, request: Request) -> Response:
        raw = await request.body()
        if self.next_answers:
            return self._refusal()
        self.taken.append(
            {
                "to": json.loads(raw)["data"]["conversation"],
                "raw": raw,
                "headers": dict(request.headers),
            }
        )
        return Response(status_code=204)

    def of(self, to: str) -> list[dict[str, Any]]:
        """What was taken for this conversation."""
        return [one for one in self.taken if one["to"] == to]

    def verify(self, one: dict[str, Any], secret: str) -> Any:
        """The content of a webhook, if it is signed with this secret."""
        return Webhook(secret).verify(one["raw"], one["headers"])

    def _refusal(self) -> Response:
        status, body = self.next_answers.pop(0)
        return JSONResponse(body, status)


async def _uploaded(part: Any) -> dict[str, Any]:
    assert isinstance(part, UploadFile)
    return {
        "name": part.filename, "content_type": part.content_type, "content": await part.read(),
    }  # fmt: skip


@asynccontextmanager
async def open_vendors() -> AsyncIterator[Vendors]:
    vendors = Vendors()
    app = Starlette(
        routes=[
            Route("/bot{token}/sendMessage", vendors.telegram, methods=["POST"]),
            Route("/bot{token}/sendPhoto", vendors.telegram_upload, methods=["POST"]),
            Route("/bot{token}/sendDocument", vendors.telegram_upload, methods=["POST"]),
            Route("/v24.0/{number}/messages", vendors.whatsapp, methods=["POST"]),
            Route("/v24.0/{number}/media", vendors.whatsapp_upload, methods=["POST"]),
            Route("/bot{token}/getFile", vendors.telegram_file, methods=["POST"]),
            Route("/file/bot{token}/photos/{name}", vendors.content),
            Route("/v24.0/{id}", vendors.whatsapp_media),
            Route("/media/{name}", vendors.content),
            Route("/webhook", vendors.webhook, methods=["POST"]),
        ]
    )
    async with serving(app) as address:
        vendors.port = int(address.rpartition(":")[2])
        yield vendors

"""`/forms/{name}`: the page, what it sends, and the page after it; no token needed."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse

from services.intake.attachments import rules
from services.intake.attachments.spool import spooled
from services.intake.attachments.store import AttachmentStore
from services.intake.channels.form import guard, page
from services.intake.channels.form.receiving import FormDone, Sender, WebForms, not_nul
from services.intake.channels.installed import ChannelIsOff
from services.intake.channels.pace import SenderPace
from services.intake.secrets import Secret, is_signature, signature
from shared.errors import FieldError, Forbidden, Invalid, NotFound
from shared.events.messages import AttachedFile
from shared.eventstore import EventStore
from shared.http.client_ip import TrustedProxies
from shared.http.limits import allow_body
from shared.identifiers import new_id
from shared.observability.correlation import current_correlation_id, new_correlation_id
from shared.security.tokens import InvalidToken

_FIELDS_MAX: Final = 2_000
"""A hundred fields of a few choices each, and ours."""

_PART_BYTES_MAX: Final = 1_048_576
_CHUNK_BYTES: Final = 1_048_576
_UNPROCESSABLE: Final = 422
_TOO_MANY: Final = 429
_SEE_OTHER: Final = 303
_SIGNATURE_BYTES: Final = 16

Said = Mapping[str, Sequence[str]]


def form_router(
    forms: WebForms | None,
    store: EventStore[Any],
    contents: AttachmentStore,
    pace: SenderPace | None,
    *,
    file_bytes_max: int,
) -> APIRouter:
    """The addresses of the forms; `forms` None: they are not switched on."""
    router = APIRouter(prefix="/forms", tags=["forms"])
    secret = Secret("form")

    @router.get("/static/{file}", include_in_schema=False)
    async def static(file: str) -> Response:
        return page.static_file(file)

    @router.get("/{name}", summary="A form as a page.")
    async def show(name: str) -> Response:
        """The page. It may stand in a frame on the sites that the channels' file names."""
        web = _on(forms)
        form = web.form(name)
        stamp = guard.make(await secret.load(store), name, time.time())
        return page.form_page(name, form, web.fields, web.settings, stamp=stamp, said={})

    _add_sending(router, forms, store, contents, pace, file_bytes_max)

    @router.get("/{name}/done", summary="The page after a form was sent.")
    async def done(
        name: str,
        number: int,
        signed: Annotated[str, Query(max_length=64)],
    ) -> Response:
        """The ticket's number; only as our own redirection says it."""
        web = _on(forms)
        form = web.form(name)
        key = await secret.load(store)
        try:
            raw = bytes.fromhex(signed)
        except ValueError:
            raw = b""
        if not is_signature(key, raw, "done", name, number):
            raise NotFound("there is no such page")
        return page.done_page(name, form, web.settings, number=number)

    return router


def _add_sending(
    router: APIRouter,
    forms: WebForms | None,
    store: EventStore[Any],
    contents: AttachmentStore,
    pace: SenderPace | None,
    file_bytes_max: int,
) -> None:
    secret = Secret("form")

    @router.post("/{name}", summary="A form that was filled in.", status_code=_SEE_OTHER)
    async def send(name: str, request: Request) -> Response:
        """Make the ticket and lead to the page with its number; else the page again, with what is wrong."""
        web = _on(forms)
        form = web.form(name)
        settings = web.settings
        allow_body(request.scope, settings.files_max * file_bytes_max + 2 * _PART_BYTES_MAX)
        key = await secret.load(store)
        now = time.time()
        async with request.form(
            max_files=settings.files_max,
            max_fields=_FIELDS_MAX,
            max_part_size=_PART_BYTES_MAX,
        ) as sent:
            said = _said(sent)
            not_nul(said)
            stamp = guard.read(key, name, (said.get("stamp") or ("",))[0])
            address = _address(request)

            def again(
                errors: Sequence[FieldError], status: int = _UNPROCESSABLE, **headers: str
            ) -> Response:
                kept = (said.get("stamp") or ("",))[0]
                is_old = stamp is None or now - stamp.made_at > settings.lives_hours * 3600
                return page.form_page(
                    name,
                    form,
                    web.fields,
                    settings,
                    stamp=guard.make(key, name, now) if is_old else kept,
                    said=said,
                    errors=errors,
                    status=status,
                    headers={one.replace("_", "-"): value for one, value in headers.items()},
                )

            if pace is not None and (wait := await pace.wait_seconds(address or "unknown")):
                words = f"Too many were sent from your network. Please wait {_in_words(wait)}."
                return again([FieldError("", words)], _TOO_MANY, Retry_After=str(int(wait) + 1))
            if (faults := web.faults(said, stamp, now)) or stamp is None:
                return again(faults)
            try:
                files = await _files(sent, contents, file_bytes_max)
                correlation_id = current_correlation_id() or new_correlation_id()
                done = await web.receive(name, said, stamp, files, Sender(address, correlation_id))
            except Invalid as error:
                return again(error.errors or [FieldError("", error.detail)])
            except Forbidden as error:
                return again([FieldError(error.field or "", error.detail)])
            except InvalidToken as error:
                return again([FieldError("identity", error.detail)], error.status)
        return RedirectResponse(_done_address(key, name, done), _SEE_OTHER)


def _on(forms: WebForms | None) -> WebForms:
    if forms is None:
        raise ChannelIsOff("forms")
    return forms


def _said(sent: FormData) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for name, value in sent.multi_items():
        if isinstance(value, str):
            said.setdefault(name, []).append(value)
    return said


async def _files(
    sent: FormData, contents: AttachmentStore, bytes_max: int
) -> tuple[AttachedFile, ...]:
    """The files, kept. Raises Invalid: one is too large, or of a kind that is not kept."""
    kept = []
    for one in sent.getlist("files"):
        if not isinstance(one, UploadFile) or not one.filename:
            continue  # an empty file input sends a part without a name
        name = rules.clean_name(one.filename)
        if why := rules.refusal(name):
            raise Invalid.of("files", f"{name}: {why}")
        if one.size is not None and one.size > bytes_max:
            raise Invalid.of("files", f"{name} is larger than {bytes_max // 1_048_576} MiB")
        async with spooled(_pieces(one)) as file:
            if file.size == 0:
                continue
            await contents.put(file.sha256, file.path)
            kept.append(
                AttachedFile(
                    id=new_id(),
                    name=name,
                    content_type=rules.clean_type(one.content_type),
                    size=file.size,
                    sha256=file.sha256,
                )
            )
    return tuple(kept)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_CHUNK_BYTES):
        yield piece


def _address(request: Request) -> str | None:
    proxies: TrustedProxies = request.app.state.trusted_proxies
    return proxies.address(request.scope)


def _done_address(key: bytes, name: str, done: FormDone) -> str:
    signed = signature(key, "done", name, done.number, bytes_count=_SIGNATURE_BYTES)
    query = {"number": done.number, "signed": signed.hex()}
    return f"/forms/{name}/done?{urlencode(query)}"


def _in_words(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes + 1} minutes" if minutes else f"{int(seconds) + 1} seconds"

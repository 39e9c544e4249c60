"""Addresses of the configuration: custom fields, ticket types, forms with their JSON schema, life policies."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from services.intake.app import Intake
from services.intake.configuration import Document, Kind, documents
from services.intake.domain.actions import Answer, Macro
from services.intake.domain.definitions import FieldDefinition, TypeDefinition
from services.intake.domain.forms import FormDefinition, json_schema
from services.intake.domain.life_policy import EVERYBODY, LifePolicy
from services.intake.domain.survey_policy import SurveyPolicy
from shared.clock import Clock
from shared.errors import Invalid, NotFound
from shared.http.bodies import json_answer, read_json
from shared.http.conditional import etag, version_expected
from shared.http.idempotency import CommandKey
from shared.http.openapi import openapi_body
from shared.http.origin import Origin
from shared.identifiers import is_slug
from shared.security import Principal, Role, authenticate

D = TypeVar(
    "D", FieldDefinition, TypeDefinition, FormDefinition, LifePolicy, Answer, Macro, SurveyPolicy
)

NO_SLUG: Final = (
    "must be 1-64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit"
)


class Documents(msgspec.Struct, frozen=True):
    """All documents of one kind, by name."""

    documents: list[Document]


class Form(msgspec.Struct, frozen=True):
    """A form: how it is defined, and the JSON schema of its answers."""

    id: str
    version: int
    definition: dict[str, Any]
    schema: dict[str, Any]


class Service(msgspec.Struct, frozen=True):
    """A heading of the catalogue with the forms under it."""

    service: str | None
    forms: list[dict[str, Any]]


class Catalogue(msgspec.Struct, frozen=True):
    """The service catalogue, as the caller may use it."""

    services: list[Service]


def configuration_router(intake: Intake, clock: Clock) -> APIRouter:
    """All addresses of the configuration. Supervisors write; what customers may fill in, they may read."""
    router = APIRouter(prefix="/v1", tags=["configuration"])
    room = Room(intake, clock)

    def check_field(_name: str, definition: FieldDefinition) -> None:
        definition.check()

    def check_type(_name: str, definition: TypeDefinition) -> None:
        definition.check(intake.configuration.house.definitions.fields)

    def check_form(_name: str, definition: FormDefinition) -> None:
        definition.check(intake.configuration.house.definitions)

    def check_life(_name: str, definition: LifePolicy) -> None:
        definition.check(intake.configuration.house.calendars)

    def check_text(_name: str, definition: Answer | Macro) -> None:
        definition.check(intake.configuration.house.definitions.fields)

    def check_survey(_name: str, definition: SurveyPolicy) -> None:
        definition.check()

    _add_forms(router, room)
    room.add(router, "/answers", "answer", Answer, check_text)
    room.add(router, "/macros", "macro", Macro, check_text)
    room.add(router, "/fields", "field", FieldDefinition, check_field)
    room.add(router, "/ticket-types", "ticket_type", TypeDefinition, check_type)
    room.add(router, "/forms", "form", FormDefinition, check_form)
    room.add(router, "/intake/life", "life", LifePolicy, check_life, may_be_everybody=True)
    room.add(router, "/intake/surveys", "survey", SurveyPolicy, check_survey, may_be_everybody=True)
    return router


def _add_forms(router: APIRouter, room: "Room") -> None:
    @router.get(
        "/forms",
        summary="The service catalogue: forms under their headings.",
        openapi_extra=openapi_body(answer=Catalogue),
    )
    async def catalogue(request: Request) -> Response:
        principal = await authenticate(request)
        services: dict[str | None, list[dict[str, Any]]] = {}
        for document in await room.documents("form"):
            form = msgspec.convert(document.definition, FormDefinition)
            if _may_use(form, principal):
                told = {"id": document.name, "title": form.title, "description": form.description}
                services.setdefault(form.service, []).append(told)
        listed = [
            Service(name, services[name]) for name in sorted(services, key=lambda one: one or "")
        ]
        return json_answer(Catalogue(listed))

    @router.get(
        "/forms/{name}",
        summary="One form with the JSON schema of its answers.",
        openapi_extra=openapi_body(answer=Form),
    )
    async def form(name: str, request: Request) -> Response:
        principal = await authenticate(request)
        document = await room.document("form", name)
        definition = msgspec.convert(document.definition, FormDefinition)
        if not _may_use(definition, principal):
            raise NotFound(f"there is no form {name}")
        schema = json_schema(name, definition, room.house_fields())
        return json_answer(
            Form(name, document.version, document.definition, schema),
            headers={"ETag": etag(document.version)},
        )


def _may_use(form: FormDefinition, principal: Principal) -> bool:
    return not principal.is_customer or (form.is_public and form.is_active)


class Room:
    """Reads and writes documents."""

    def __init__(self, intake: Intake, clock: Clock) -> None:
        self._intake = intake
        self._clock = clock

    def house_fields(self) -> dict[str, FieldDefinition]:
        """The fields in force."""
        return dict(self._intake.configuration.house.definitions.fields)

    async def documents(self, kind: Kind) -> list[Document]:
        """All of a kind, from the database."""
        return await asyncio.to_thread(self._intake.read, lambda tx: documents(tx, kind))

    async def document(self, kind: Kind, name: str) -> Document:
        """One of them. Raises NotFound."""
        for one in await self.documents(kind):
            if one.name == name:
                return one
        raise NotFound(f"there is no {kind.replace('_', ' ')} {name}")

    def add(
        self,
        router: APIRouter,
        path: str,
        kind: Kind,
        type_: type[D],
        check: Callable[[str, D], None],
        *,
        may_be_everybody: bool = False,
    ) -> None:
        """List, read, put and delete documents of one kind.

        Forms are listed and read in their own way, prepared texts listed with their use (`articles`).
        """
        words = kind.replace("_", " ")
        if kind not in {"form", "answer"}:

            @router.get(
                path,
                summary=f"Every {words}.",
                openapi_extra=openapi_body(answer=Documents),
                name=f"list_{kind}",
            )
            async def listed(request: Request) -> Response:
                await authenticate(request, Role.AGENT)
                return json_answer(Documents(await self.documents(kind)))

        if kind != "form":

            @router.get(
                path + "/{name}",
                summary=f"One {words}.",
                openapi_extra=openapi_body(answer=Document),
                name=f"get_{kind}",
            )
            async def one(name: str, request: Request) -> Response:
                await authenticate(request, Role.AGENT)
                return answer_of(await self.document(kind, name))

        @router.put(
            path + "/{name}",
            summary=f"Make a {words}, or a new version of it.",
            openapi_extra=openapi_body(type_, answer=Document),
            name=f"put_{kind}",
        )
        async def put(name: str, request: Request) -> Response:
            principal = await authenticate(request, Role.SUPERVISOR)
            check_name(name, may_be_everybody=may_be_everybody)
            definition = await read_json(request, type_)
            await asyncio.to_thread(self._intake.refresh_configuration)
            check(name, definition)
            said = msgspec.to_builtins(definition)
            if kind == "answer":
                answer = msgspec.convert(said, Answer)
                said = msgspec.to_builtins(await self._intake.with_files(answer, principal.id))
            return answer_of(await self.define(kind, name, said, request, principal))

        @router.delete(
            path + "/{name}",
            summary=f"Take a {words} away. What it has done stays done.",
            openapi_extra=openapi_body(answer=Document),
            name=f"delete_{kind}",
        )
        async def delete(name: str, request: Request) -> Response:
            principal = await authenticate(request, Role.SUPERVISOR)
            return answer_of(await self.define(kind, name, None, request, principal))

    async def define(
        self,
        kind: Kind,
        name: str,
        definition: dict[str, Any] | None,
        request: Request,
        principal: Principal,
    ) -> Document:
        """Store a document for this request, which may expect a version (`If-Match`); `None` takes it away."""
        key = CommandKey.of(request, principal)
        origin = Origin.of(request, principal)
        expected = version_expected(request)
        claim = None if key is None else key.claim(await request.body())
        now = self._clock.now()
        return await self._intake.define(
            kind, name, definition, origin.stamp(0, now, now), expected=expected, claim=claim
        )


def answer_of(document: Document) -> Response:
    """The document, its version as ETag."""
    return json_answer(document, headers={"ETag": etag(document.version)})


def check_name(name: str, *, may_be_everybody: bool = False) -> None:
    """Raises Invalid when no document may be called so."""
    if not is_slug(name) and not (may_be_everybody and name == EVERYBODY):
        raise Invalid.of("path name", NO_SLUG)

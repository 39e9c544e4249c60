"""Typed fields, ticket types and forms by configuration, over HTTP."""

import asyncio

import pytest

from tests.integration.intake.desk import open_desk

pytestmark = pytest.mark.integration

FOR_BEN = {"requester": {"id": "ben"}}


async def defined(supervisor, path: str, **definition):
    answer = await supervisor.send("PUT", f"/v1/{path}", definition)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def catalogue(supervisor):
    """A laptop service: model by choice, a reason only for the big one, a cost centre needed to solve."""
    public = {"visible_to_customer": True, "editable_by_customer": True}
    await defined(
        supervisor, "fields/model", label="Model", type="choice", options=["small", "big"], **public
    )
    await defined(supervisor, "fields/reason", label="Why", type="text", length_max=50, **public)
    await defined(
        supervisor, "fields/floor", label="Floor", type="integer", min=0, max=20, **public
    )
    await defined(supervisor, "fields/cost-centre", label="Cost centre", type="text")
    await defined(
        supervisor, "ticket-types/laptop", label="Laptop", required_on_solve=["cost-centre"]
    )
    await defined(
        supervisor,
        "forms/new-laptop",
        title="A new laptop",
        service="Hardware",
        ticket_type="laptop",
        tags=["hardware"],
        fields=[
            {"field": "model", "required": True},
            {
                "field": "reason",
                "required": True,
                "visible_if": {"field": "model", "one_of": ["big"]},
            },
        ],
    )


async def opening(who, status: int, **said):
    answer = await who.post("/v1/tickets", {"subject": "A laptop", "body": "please"} | said)
    assert answer.status_code == status, answer.text
    return answer.json()


def fields_at_fault(problem) -> list[str]:
    return [error["field"] for error in problem["errors"]]


async def test_a_defined_field_holds_only_what_it_may_and_others_stay_free(agent, catalogue):
    for value in ("huge", 3, ["small"], True):
        problem = await opening(agent, 422, **FOR_BEN, fields={"model": value})
        assert fields_at_fault(problem) == ["fields.model"]
    problem = await opening(agent, 422, **FOR_BEN, fields={"floor": 21, "reason": "x" * 51})
    assert fields_at_fault(problem) == ["fields.floor", "fields.reason"]
    ticket = await opening(agent, 201, **FOR_BEN, fields={"floor": 3, "anything": [1, "x"]})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    wrong = await agent.send("PATCH", path, {"fields": {"floor": 1.5}})
    assert (wrong.status_code, fields_at_fault(wrong.json())) == (422, ["fields.floor"])
    assert (await agent.send("PATCH", path, {"fields": {"floor": 4}})).status_code == 200


async def test_what_a_type_needs_is_asked_for_when_it_is_solved(agent, catalogue):
    ticket = (await opening(agent, 201, **FOR_BEN, ticket_type="laptop"))["ticket_id"]
    refused = await agent.post(f"/v1/tickets/{ticket}/resolve", {"summary": "Here"})
    assert (refused.status_code, fields_at_fault(refused.json())) == (422, ["fields.cost-centre"])
    with_reply = {"body": "Here it is", "resolve": {"summary": "Here"}}
    assert (await agent.post(f"/v1/tickets/{ticket}/replies", with_reply)).status_code == 422
    await agent.send("PATCH", f"/v1/tickets/{ticket}", {"fields": {"cost-centre": "4711"}})
    done = await agent.post(f"/v1/tickets/{ticket}/resolve", {"summary": "Here"})
    assert done.status_code == 200


async def test_history_is_imported_as_it_was(importer, catalogue):
    await opening(importer, 201, **FOR_BEN, via="import", fields={"model": "huge"})


async def test_a_customer_sets_only_fields_for_customers(customer, catalogue):
    problem = await opening(customer, 403, fields={"cost-centre": "1"})
    assert fields_at_fault(problem) == ["fields.cost-centre"]
    await opening(customer, 201, fields={"floor": 2})


async def test_a_form_asks_for_what_depends_on_the_answers(desk, customer, catalogue):
    problem = await opening(customer, 422, form="new-laptop")
    assert fields_at_fault(problem) == ["fields.model"]
    problem = await opening(customer, 422, form="new-laptop", fields={"model": "big"})
    assert fields_at_fault(problem) == ["fields.reason"]
    said = {"model": "small", "reason": "why not"}
    problem = await opening(customer, 422, form="new-laptop", fields=said)
    assert fields_at_fault(problem) == ["fields.reason"]
    receipt = await opening(
        customer, 201, form="new-laptop", fields={"model": "big", "reason": "CAD"}
    )
    event = (await desk.events(receipt["ticket_id"]))[0]
    assert (event.form, event.ticket_type, event.tags) == ("new-laptop", "laptop", ("hardware",))
    problem = await opening(customer, 422, form="no-such-form")
    assert fields_at_fault(problem) == ["form"]


async def test_the_catalogue_and_the_schema_are_readable_for_customers(customer, catalogue):
    services = (await customer.send("GET", "/v1/forms")).json()["services"]
    assert {"service": "Hardware", "forms": services[0]["forms"]} in services
    form = (await customer.send("GET", "/v1/forms/new-laptop")).json()
    schema = form["schema"]
    assert schema["properties"]["model"]["enum"] == ["small", "big"]
    assert schema["required"] == ["model"]
    assert schema["properties"]["reason"]["x-visible-if"] == {"field": "model", "one_of": ["big"]}
    assert (await customer.send("GET", "/v1/forms/other")).status_code == 404
    assert (await customer.send("GET", "/v1/fields")).status_code == 403


async def test_documents_have_versions_and_are_refused_by_field(supervisor, agent):
    first = await defined(supervisor, "fields/room", label="Room", type="text")
    same = await defined(supervisor, "fields/room", label="Room", type="text")
    assert (first["version"], same["version"]) == (1, 1)
    stale = await supervisor.send(
        "PUT", "/v1/fields/room", {"label": "R", "type": "text"}, if_match='"7"'
    )
    assert stale.status_code == 412
    for path, body, field in (
        ("fields/x", {"label": "X", "type": "choice"}, "options"),
        ("fields/x", {"label": "X", "type": "colour"}, "type"),
        (
            "fields/x",
            {"label": "X", "type": "text", "editable_by_customer": True},
            "editable_by_customer",
        ),
        ("fields/Not a slug", {"label": "X", "type": "text"}, "path name"),
        ("ticket-types/x", {"label": "X", "required_on_open": ["no"]}, "required_on_open[0]"),
        ("forms/x", {"title": "X", "fields": [{"field": "no"}]}, "fields[0].field"),
    ):
        answer = await supervisor.send("PUT", f"/v1/{path}", body)
        assert answer.status_code == 422, (path, answer.text)
        assert answer.json()["errors"][0]["field"] == field
    assert (await agent.send("PUT", "/v1/fields/x", {})).status_code == 403
    assert (await supervisor.send("DELETE", "/v1/fields/room")).status_code == 200
    assert (await agent.send("GET", "/v1/fields/room")).status_code == 404
    assert (await supervisor.send("DELETE", "/v1/fields/room")).status_code == 404


async def test_another_process_takes_up_what_was_configured(database, issuer, desk, supervisor):
    async with open_desk(database, issuer) as other:
        intake = other.service._task_makers[0].__self__._act.__self__
        await defined(supervisor, "fields/elsewhere", label="E", type="boolean")
        assert "elsewhere" not in intake.configuration.house.definitions.fields
        await asyncio.to_thread(intake.refresh_configuration)
        assert intake.configuration.house.definitions.fields["elsewhere"].type == "boolean"


async def test_the_event_holds_the_document_before(desk, supervisor):
    await defined(supervisor, "fields/told", label="One", type="text")
    await defined(supervisor, "fields/told", label="Two", type="text")
    from shared.events.configuration import configuration_stream

    events = await desk.events(str(configuration_stream("field", "told")))
    assert [event.version for event in events] == [1, 2]
    assert (events[1].previous["label"], events[1].definition["label"]) == ("One", "Two")

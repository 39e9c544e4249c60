"""The API document tells the whole: every address, its headers, and the shapes of bodies and answers."""

import pytest

pytestmark = pytest.mark.integration

COMMANDS = {
    ("/v1/tickets", "post"),
    ("/v1/tickets/batch", "post"),
    ("/v1/tickets/{ticket_id}", "patch"),
    ("/v1/tickets/{ticket_id}/replies", "post"),
    ("/v1/tickets/{ticket_id}/notes", "post"),
    ("/v1/tickets/{ticket_id}/resolve", "post"),
    ("/v1/tickets/{ticket_id}/close", "post"),
    ("/v1/tickets/{ticket_id}/reopen", "post"),
    ("/v1/tickets/{ticket_id}/confirm", "post"),
    ("/v1/tickets/{ticket_id}/satisfaction", "post"),
    ("/v1/tickets/{ticket_id}/merge", "post"),
    ("/v1/tickets/{ticket_id}/unmerge", "post"),
    ("/v1/tickets/{ticket_id}/split", "post"),
    ("/v1/tickets/{ticket_id}/unsplit", "post"),
    ("/v1/tickets/{ticket_id}/family", "put"),
    ("/v1/tickets/{ticket_id}/tasks", "post"),
    ("/v1/tickets/{ticket_id}/tasks/{task_id}", "patch"),
    ("/v1/tickets/{ticket_id}/tasks/{task_id}", "delete"),
    ("/v1/tickets/{ticket_id}/checklists", "post"),
    ("/v1/tickets/{ticket_id}/macros/{name}", "post"),
    ("/v1/tickets/{ticket_id}/steps/{step_id}/undo", "post"),
    ("/v1/tickets/{ticket_id}/participants", "post"),
    ("/v1/tickets/{ticket_id}/participants/{person_id}", "delete"),
    ("/v1/tickets/{ticket_id}/links", "post"),
    ("/v1/tickets/{ticket_id}/links/{other_id}", "delete"),
}

WAYS_IN_AND_FILES = {
    ("/v1/channels/email", "post"),
    ("/v1/channels/email/refused", "get"),
    ("/v1/channels/email/refused/{refusal_id}/original", "get"),
    ("/v1/attachments", "post"),
    ("/v1/tickets/{ticket_id}/attachments", "get"),
    ("/v1/tickets/{ticket_id}/attachments/{attachment_id}", "get"),
}


async def test_every_command_is_documented_with_its_headers_and_shapes(desk):
    document = (await desk.http.get("/openapi.json")).json()
    found = {
        (path, method)
        for path, operations in document["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    }
    commands = {(path, method) for path, method in found if path.startswith("/v1/tickets")}
    assert {one for one in commands if one[1] != "get"} == COMMANDS
    assert found >= WAYS_IN_AND_FILES
    for path, method in COMMANDS - {("/v1/tickets/batch", "post")}:
        operation = document["paths"][path][method]
        names = {parameter["name"] for parameter in operation["parameters"]} - {"dry_run"}
        in_path = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
        assert names == {"Idempotency-Key", "If-Match"} | in_path
        content = operation["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        assert "properties" in document["components"]["schemas"][name]


async def test_the_limits_are_in_the_document(desk):
    document = (await desk.http.get("/openapi.json")).json()
    opening = document["components"]["schemas"]["Open"]
    assert opening["properties"]["subject"]["maxLength"] == 300
    assert opening["additionalProperties"] is False
    assert sorted(opening["required"]) == ["body", "subject"]

"""The front door: a real Caddy with the committed Caddyfile before four small servers that say who they are."""

import json
import threading
import urllib.error
import urllib.request
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler

import pytest

from deploy.local.caddy import Caddy
from deploy.local.folder import StateFolder
from tests.support.listening import Listening

pytestmark = pytest.mark.integration

SERVICES = ("intake", "routing", "sla", "query")


class Echo(BaseHTTPRequestHandler):
    """Answers with its name, the method and the path; `/stream` sends one event and holds the next back."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.path == "/stream":
            return self.stream()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps([self.server.service, self.command, self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk(b"data: first\n\n")
        assert self.server.go_on.wait(30)
        self.chunk(b"data: second\n\n")
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture(scope="module")
def upstreams():
    servers = {}
    for name in SERVICES:
        server = Listening(("127.0.0.1", 0), Echo)
        server.service, server.go_on = name, threading.Event()
        threading.Thread(target=server.serve_forever).start()
        servers[name] = server
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def door(upstreams, tmp_path_factory):
    addresses = {name: f"127.0.0.1:{server.server_port}" for name, server in upstreams.items()}
    caddy = Caddy(StateFolder(tmp_path_factory.mktemp("door")), addresses)
    caddy.start()
    try:
        caddy.wait_until_ready()
        yield caddy
    finally:
        caddy.child.stop()


def ask(door, method, path, headers=None):
    request = urllib.request.Request(door.url + path, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read(), answer.headers


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("GET", "/", "query"),
        ("GET", "/static/vendor/htmx.min.js", "query"),
        ("GET", "/v1/tickets", "query"),
        ("GET", "/v1/tickets/1/timeline", "query"),
        ("GET", "/v1/tickets/1/group", "query"),
        ("GET", "/v1/dashboard/stream", "query"),
        ("GET", "/v1/search?q=printer", "query"),
        ("GET", "/v1/export/tickets", "query"),
        ("GET", "/v1/audit/roots/sla", "sla"),
        ("GET", "/v1/audit/roots/intake/proofs?stream=x", "intake"),
        ("GET", "/v1/audit/roots/query/proofs?stream=x", "query"),
        ("POST", "/login", "query"),
        ("POST", "/v1/tickets", "intake"),
        ("POST", "/v1/tickets/batch", "intake"),
        ("POST", "/v1/channels/email", "intake"),
        ("POST", "/v1/attachments?name=a.txt", "intake"),
        ("GET", "/v1/tickets/1/attachments", "intake"),
        ("GET", "/v1/tickets/1/attachments/2?expires=1&signature=0", "intake"),
        ("GET", "/v1/channels/email/refused", "intake"),
        ("PATCH", "/v1/tickets/1", "intake"),
        ("PUT", "/v1/tickets/1/tags", "intake"),
        ("DELETE", "/v1/tickets/1/links/2", "intake"),
        ("POST", "/v1/tickets/1/assign/x", "intake"),
        ("POST", "/v1/tickets/1/assign", "routing"),
        ("POST", "/v1/tickets/1/unassign", "routing"),
        ("PUT", "/v1/tickets/1/group", "routing"),
        ("POST", "/v1/tickets/1/attention", "query"),
        ("GET", "/v1/tickets/1/attention", "query"),
        ("POST", "/v1/tickets/1/attention/x", "intake"),
        ("PUT", "/v1/fields/site", "intake"),
        ("GET", "/v1/ticket-types", "intake"),
        ("GET", "/v1/forms/laptop", "intake"),
        ("PUT", "/v1/intake/life/desk", "intake"),
        ("GET", "/v1/articles?suggest=printer", "intake"),
        ("PUT", "/v1/articles/reset", "intake"),
        ("GET", "/articles/reset", "query"),
        ("GET", "/help", "intake"),
        ("POST", "/help/reset", "intake"),
        ("GET", "/survey?token=x&score=good", "intake"),
        ("POST", "/v1/tickets/1/satisfaction", "intake"),
        ("GET", "/v1/agents", "routing"),
        ("PUT", "/v1/agents/anna/presence", "routing"),
        ("GET", "/v1/groups/group-70", "routing"),
        ("PUT", "/v1/routing/rules", "routing"),
        ("POST", "/v1/queue/next", "routing"),
        ("GET", "/v1/policies", "sla"),
        ("PUT", "/v1/calendars/office", "sla"),
        ("POST", "/v1/sla/simulate", "sla"),
        ("GET", "/v1/oncall", "sla"),
    ],
)
def test_a_request_reaches_the_service_that_owns_it(door, method, path, service):
    body, _ = ask(door, method, path)
    assert json.loads(body) == [service, method, path]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_reached_for_administration_without_the_prefix(door, service):
    body, _ = ask(door, "GET", f"/services/{service}/readyz")
    assert json.loads(body) == [service, "GET", "/readyz"]


def test_an_event_leaves_before_the_next_one_exists(door, upstreams):
    connection = HTTPConnection("127.0.0.1", door.port, timeout=20)
    try:
        connection.request("GET", "/stream", headers={"Accept-Encoding": "gzip, zstd"})
        answer = connection.getresponse()
        assert answer.getheader("Content-Encoding") is None
        assert answer.readline() == b"data: first\n"
        upstreams["query"].go_on.set()
        assert answer.read() == b"\ndata: second\n\n"
    finally:
        upstreams["query"].go_on.set()
        connection.close()


def test_every_answer_carries_the_security_headers(door):
    _, headers = ask(door, "GET", "/")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "Server" not in headers


def test_a_service_that_is_down_is_a_problem_that_may_be_tried_again(tmp_path, upstreams):
    addresses = {name: f"127.0.0.1:{server.server_port}" for name, server in upstreams.items()}
    folder = StateFolder(tmp_path)
    caddy = Caddy(folder, {**addresses, "sla": f"127.0.0.1:{folder.port('nobody-listens')}"})
    caddy.start()
    try:
        caddy.wait_until_ready()
        with pytest.raises(urllib.error.HTTPError) as refusal:
            ask(caddy, "GET", "/v1/policies")
        with refusal.value as problem:
            assert problem.status == 503
            assert problem.headers["Content-Type"] == "application/problem+json"
            assert problem.headers["Retry-After"] == "2"
            assert json.load(problem)["status"] == 503
        body, _ = ask(caddy, "GET", "/v1/agents")
        assert json.loads(body)[0] == "routing"
    finally:
        caddy.child.stop()

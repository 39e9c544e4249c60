"""A gentle, endless day at the demo organisation: customers write, agents answer, some things take too long."""

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import httpx2

from deploy.front_door import FrontDoor, RequestRefused
from deploy.local.demo.organisation import AGENTS, AWAY
from deploy.local.stack import Stack
from shared.identifiers import new_id
from shared.security.principal import Role

_STEP_SECONDS: Final = 2.0
"""One thing happens about this often: enough to see the board move, too little to notice on a laptop."""

_OPEN_MAX: Final = 36
"""With more open tickets than this no new ones are written: a demo left alone over night stays small."""

_TOKEN_SECONDS: Final = 30 * 86_400

_CUSTOMERS: Final = (
    ("c-amara", "Amara Diallo", "Northwind"),
    ("c-bruno", "Bruno Costa", "Contoso"),
    ("c-carla", "Carla Rossi", "Fabrikam"),
    ("c-daniel", "Daniel Novák", "Northwind"),
    ("c-emi", "Emi Tanaka", "Tailspin"),
    ("c-fatima", "Fatima Haddad", "Contoso"),
)

_REQUESTS: Final[tuple[dict[str, Any], ...]] = (
    {"subject": "Invoice 2291 shows the wrong VAT rate", "ticket_type": "billing"},
    {
        "subject": "Please split our invoice by cost centre",
        "ticket_type": "billing",
        "priority": "low",
    },
    {"subject": "VPN drops every few minutes since this morning", "ticket_type": "incident"},
    {"subject": "Nobody in our Lyon office can log in", "priority": "urgent"},
    {"subject": "Export to CSV takes very long", "ticket_type": "incident", "priority": "high"},
    {"subject": "How do I add a colleague to our account?"},
    {"subject": "Password reset mail does not arrive"},
    {"subject": "Question about the new reporting page", "priority": "low"},
    {"subject": "Database connection refused from our app", "priority": "high"},
    {"subject": "Change the delivery address of our order"},
)

_ANSWERS: Final = (
    "Thank you for writing. We are looking at it now and will be back within the hour.",
    "Could you send us the exact message and the time when it appeared?",
    "This should work again. Would you try once more, please?",
    "We have found the cause and are rolling out the correction.",
)

_TASKS: Final = (
    "Call the vendor back",
    "Tell the office when it works again",
    "Write an article about it",
)


def load(stack: Stack, must_end: threading.Event) -> None:
    """Let things happen until `must_end`; a service that is away for a moment is waited for."""
    assert stack.issuer is not None, "the stack is started first"
    dice = random.Random(7)  # noqa: S311  # a story, not a secret
    with ExitStack() as opened:

        def door(subject: str, role: Role, name: str) -> FrontDoor:
            assert stack.issuer is not None
            token = stack.issuer.issue(subject, role, name=name, ttl_seconds=_TOKEN_SECONDS)
            return opened.enter_context(FrontDoor(stack.front_door, token))

        life = _Life(door, dice)
        while not must_end.wait(_STEP_SECONDS * dice.uniform(0.5, 1.5)):
            try:
                life.step()
            except (RequestRefused, httpx2.TransportError):
                # A rule said no, or a service restarts: both are part of a demo's life; the next step tries again.
                must_end.wait(_STEP_SECONDS)


class _Life:
    def __init__(self, door: Callable[[str, Role, str], FrontDoor], dice: random.Random) -> None:
        self._dice = dice
        self._watcher = door("demo-watcher", Role.SUPERVISOR, "Demo watcher")
        self._customers = {
            subject: door(subject, Role.CUSTOMER, name) for subject, name, _ in _CUSTOMERS
        }
        self._agents = {
            agent_id: door(agent_id, Role.AGENT, agent["name"])
            for agent_id, agent in AGENTS.items()
            if agent_id not in AWAY
        }

    def step(self) -> None:
        """One thing happens."""
        tickets = self._watcher.call("GET", "/v1/tickets?is_open=true&limit=200").get("tickets", [])
        assigned = [ticket for ticket in tickets if ticket["assignee_id"] in self._agents]
        if len(tickets) < _OPEN_MAX and self._dice.random() < (0.45 if tickets else 1.0):
            self._write()
        elif assigned:
            self._work_on(self._dice.choice(assigned))

    def _write(self) -> None:
        subject, _, organization = self._dice.choice(_CUSTOMERS)
        request = self._dice.choice(_REQUESTS)
        body = f"Hello, this is about: {request['subject']}.\n\nCan you help us? We are at {organization}."
        self._customers[subject].call(
            "POST", "/v1/tickets", {**request, "body": body}, key=str(new_id())
        )

    def _work_on(self, ticket: dict[str, Any]) -> None:
        agent = self._agents[ticket["assignee_id"]]
        path = f"/v1/tickets/{ticket['ticket_id']}"
        status, chance = ticket["status"], self._dice.random()
        if status in {"new", "open"} and chance < 0.75:  # noqa: PLR2004  # a quarter is left lying
            agent.call(
                "POST", f"{path}/replies", {"body": self._dice.choice(_ANSWERS)}, key=str(new_id())
            )
        elif status == "answered" and chance < 0.45:  # noqa: PLR2004
            agent.call(
                "POST",
                f"{path}/resolve",
                {"summary": "Explained and confirmed."},
                key=str(new_id()),
            )
        elif status == "answered" and chance < 0.6:  # noqa: PLR2004
            agent.call("PATCH", path, {"status": {"category": "pending"}}, key=str(new_id()))
        elif status in {"answered", "pending"} and ticket["requester_id"] in self._customers:
            customer = self._customers[ticket["requester_id"]]
            customer.call(
                "POST", f"{path}/replies", {"body": "It still happens, sorry."}, key=str(new_id())
            )
        elif chance > 0.95:  # noqa: PLR2004
            agent.call("POST", f"{path}/notes", {"body": "Asked the vendor."}, key=str(new_id()))
        elif chance > 0.9:  # noqa: PLR2004
            task = {"title": self._dice.choice(_TASKS), "owner": ticket["assignee_id"]}
            agent.call("POST", f"{path}/tasks", task, key=str(new_id()))

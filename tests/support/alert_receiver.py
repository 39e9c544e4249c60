"""Somebody on call: a webhook receiver that accepts only what is signed as Standard Webhooks asks."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.listening import Listening

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()


class AlertReceiver:
    """Keeps every alert that was signed well, by its webhook id."""

    def __init__(self) -> None:
        self.alerts: dict[str, dict[str, Any]] = {}
        self.forged_count = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                try:
                    Webhook(SECRET).verify(body, dict(self.headers.items()))
                except WebhookVerificationError:
                    receiver.forged_count += 1
                    self.send_response(401)
                else:
                    receiver.alerts[self.headers["webhook-id"]] = json.loads(body)
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = Listening(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """The variables that make the sla service page this receiver."""
        return {
            "TICKETING_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{self._server.server_port}/page",
            "TICKETING_ALERT_WEBHOOK_SECRET": SECRET,
            "TICKETING_ALERT_PRIVATE_ADDRESSES_ALLOWED": "true",
        }

    def about(self, ticket_id: str) -> list[dict[str, Any]]:
        """What was received about one ticket."""
        return [alert for alert in self.alerts.values() if ticket_id in json.dumps(alert)]

"""The sinks of the environment, and what the sinks of documents are built from."""

import os
from datetime import timedelta

from services.sla.alerts import alertmanager
from services.sla.alerts.alertmanager import AlertmanagerSink
from services.sla.alerts.delivery import BAD_BODY, Poster
from services.sla.alerts.kind import Parts
from services.sla.alerts.secrets import Secrets
from services.sla.alerts.sink import Sink
from services.sla.alerts.webhook import WebhookSink
from services.sla.settings import Settings


def build_sinks(settings: Settings) -> list[Sink]:
    """The sinks this installation has addresses for.

    Raises:
        ValueError: an address is not an absolute http(s) URL, or a secret is not what it should be.
    """
    sinks: list[Sink] = []
    if settings.alert_webhook_url and settings.alert_webhook_secret:
        sinks.append(
            WebhookSink(
                _poster(settings, settings.alert_webhook_url),
                secrets=settings.alert_webhook_secret.get_secret_value(),
                public_url=settings.public_url,
            )
        )
    if settings.alertmanager_url:
        sinks.append(
            AlertmanagerSink(
                _poster(
                    settings,
                    settings.alertmanager_url.rstrip("/") + alertmanager.PATH,
                    final_statuses=BAD_BODY,
                ),
                resend_every=timedelta(seconds=settings.alertmanager_resend_seconds),
                public_url=settings.public_url,
            )
        )
    return sinks


def _poster(
    settings: Settings, url: str, *, final_statuses: frozenset[int] = frozenset()
) -> Poster:
    return Poster(
        url,
        timeout_seconds=settings.alert_timeout_seconds,
        private_addresses_allowed=settings.alert_private_addresses_allowed,
        final_statuses=final_statuses,
    )


def parts_of(settings: Settings) -> Parts:
    """What documents need besides themselves; secrets come from the environment and the folder of secrets."""
    return Parts(
        secrets=Secrets(os.environ, settings.alert_secrets_folder),
        timeout_seconds=settings.alert_timeout_seconds,
        private_addresses_allowed=settings.alert_private_addresses_allowed,
        public_url=settings.public_url,
    )

"""What the sla service needs to know from its environment; each limit with its reason."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Variables carry the prefix `TICKETING_`, for example `TICKETING_ALERT_WEBHOOK_URL`."""

    timer_lateness_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.5,
        description=(
            "How long after a deadline we still listen for a reply that is under way (S19). Half a "
            "second is several times the usual way of a reply through Kafka, and keeps a breach "
            "within two seconds of its deadline; what comes later still retracts it (S20)."
        ),
    )
    timer_batch_max: Annotated[int, Field(ge=1, le=5_000)] = Field(
        default=500, description="timers fired in one transaction; bounds its locks and memory"
    )
    timer_recheck_seconds_max: Annotated[float, Field(gt=0, le=60)] = Field(
        default=1.0,
        description="longest sleep; how soon the timers of a process that died are taken over",
    )
    timer_catch_up_seconds_max: Annotated[float, Field(ge=0, le=600)] = Field(
        default=15.0,
        description=(
            "how long timers wait at the start for replies that came while the service was down; "
            "without the limit a Kafka outage would silence every deadline"
        ),
    )
    import_quiet_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=30.0,
        description="an import that was not announced has ended when none of its facts came for so long",
    )
    import_abandoned_seconds: Annotated[float, Field(ge=1, le=604_800)] = Field(
        default=3_600.0,
        description="an announced import that sends nothing for so long has ended, said or not",
    )

    public_url: str | None = Field(
        default=None, description="address of the front door, for links in alerts"
    )
    alert_sinks_file: Path | None = Field(
        default=None,
        description="sinks as documents, YAML or JSON; those of the API stand beside them (docs/alerts.md)",
    )
    alert_secrets_folder: Path | None = Field(
        default=None,
        description="files that sinks may name as `file:NAME`; variables they may name begin with `TICKETING_SINK_`",
    )
    alert_webhook_url: str | None = None
    alert_webhook_secret: SecretStr | None = Field(
        default=None,
        description="`whsec_…`; during a rotation the new and the old one, separated by a space",
    )
    alertmanager_url: str | None = Field(
        default=None, description="for example http://alertmanager:9093"
    )
    alertmanager_resend_seconds: Annotated[float, Field(ge=1, le=240)] = Field(
        default=60.0,
        description="Alertmanager forgets what is not said again; well under its 5 minutes",
    )
    alert_private_addresses_allowed: bool = Field(
        default=False, description="whether alerts may go to loopback and private networks"
    )
    alert_on_warnings: bool = Field(
        default=False, description="whether warnings page as breaches do"
    )
    alert_attempts_max: Annotated[int, Field(ge=1, le=100)] = Field(
        default=12, description="about an hour and a half of trying; a later page helps nobody"
    )
    alert_pause_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=2.0, description="the first pause between attempts; each next one doubles"
    )
    alert_pause_seconds_max: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    alert_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=15.0, description="Standard Webhooks recommends 15 to 30"
    )
    alerts_per_minute_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=30,
        description="single alerts per sink; in a storm the rest comes as one summary a minute",
    )

    @model_validator(mode="after")
    def _a_webhook_is_signed(self) -> "Settings":
        if self.alert_webhook_url and self.alert_webhook_secret is None:
            raise ValueError(
                "TICKETING_ALERT_WEBHOOK_SECRET is missing: alerts to "
                "TICKETING_ALERT_WEBHOOK_URL are always signed"
            )
        return self

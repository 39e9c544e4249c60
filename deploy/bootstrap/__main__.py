"""`python -m deploy.bootstrap`: prepares the servers named by the environment, then ends.

With `--log-replaced` it also lets everything be published and read again, as Kafka was lost or emptied.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import psycopg
import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay
from tenacity.wait import wait_exponential

from deploy.bootstrap import (
    StillRunning,
    TopicRefused,
    prepare_database,
    prepare_topics,
    start_log_over,
)
from deploy.bootstrap.settings import ENV_PREFIX, BootstrapSettings

_T = TypeVar("_T")

log = structlog.get_logger("bootstrap")

_LOG_REPLACED: Final = "--log-replaced"
_MISCONFIGURED: Final = 2
_FAILED: Final = 1
_PAUSE_SECONDS_MAX: Final = 5
"""A server that starts is noticed within this."""


def main(arguments: Sequence[str] = ()) -> int:
    """Answers the exit status: 0 prepared, 1 a server refuses or is away, 2 a wrong variable or option."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ]
    )
    if set(arguments) - {_LOG_REPLACED}:
        log.error("misconfigured", problem=f"the only option is {_LOG_REPLACED}")
        return _MISCONFIGURED
    try:
        settings = BootstrapSettings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            name = ENV_PREFIX + "_".join(map(str, problem["loc"])).upper()
            log.error("misconfigured", variable=name, problem=problem["msg"])  # noqa: TRY400
        return _MISCONFIGURED
    try:
        _patiently(
            "postgresql",
            settings,
            lambda: prepare_database(
                settings.superuser_url.get_secret_value(), settings.database_plan()
            ),
        )
        log.info("database_prepared", database=settings.database)
        if _LOG_REPLACED in arguments:
            start_log_over(settings.superuser_url.get_secret_value(), settings.database)
        made = _patiently(
            "kafka",
            settings,
            lambda: asyncio.run(
                prepare_topics(settings.kafka_bootstrap_servers, settings.topic_plan())
            ),
        )
    except (psycopg.Error, KafkaError, TopicRefused, StillRunning) as error:
        log.error("bootstrap_failed", reason=str(error).strip())  # noqa: TRY400
        return _FAILED
    log.info(
        "topics_prepared", made=made, existing=len(set(settings.topic_plan().names) - set(made))
    )
    return 0


def _patiently(server: str, settings: BootstrapSettings, attempt: Callable[[], _T]) -> _T:
    def say(state: RetryCallState) -> None:
        reason = state.outcome and state.outcome.exception()
        log.warning(
            "waiting", server=server, attempt=state.attempt_number, reason=str(reason).strip()
        )

    retrying = Retrying(
        retry=retry_if_exception_type((psycopg.OperationalError, KafkaError)),
        stop=stop_after_delay(settings.bootstrap_wait_seconds_max),
        wait=wait_exponential(multiplier=0.25, max=_PAUSE_SECONDS_MAX),
        before_sleep=say,
        reraise=True,
    )
    return retrying(attempt)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

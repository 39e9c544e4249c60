"""Logs: one fact a line, with fields; JSON for machines, colours for people."""

import logging
import sys
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.observability.correlation import current_correlation_id
from shared.observability.redaction import redact

_TALKATIVE: Final = {
    "aiokafka": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpcore2": logging.WARNING,
    "httpx2": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,  # the access line is ours: `http_request`
}


def configure_logging(
    *, service: str, log_format: str = "json", level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Set up structlog and the standard library's logging alike; called once by a process's `main`.

    Args:
        service: put on every line.
        log_format: `json` or `console`.
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`; nothing below it is written.
        stream: where to; standard output unless given.
    """
    out = stream or sys.stdout
    before: list[Processor] = [_add_correlation]
    after: list[Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
        redact,
        # What follows is ours and holds no secret: looking through it on every line would take as long as all the rest.
        _adding("service", service),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _render_json
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty()),
    ]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def _add_correlation(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    correlation_id = current_correlation_id()
    if correlation_id is not None:
        event.setdefault("correlation_id", correlation_id)
    return event


def _adding(name: str, value: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault(name, value)
        return event

    return add


_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return _ENCODER.encode(event).decode()
    except (UnicodeEncodeError, TypeError):
        return _ENCODER.encode(_printable(event)).decode()


def _printable(value: Any) -> Any:
    """The value with whatever JSON cannot hold (lone surrogates, odd keys) spelt out; a log line is never lost."""
    if isinstance(value, dict):
        return {_printable(str(key)): _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value

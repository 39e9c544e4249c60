"""The way into a service's process: settings from the environment, logs, then run."""

import sys
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from shared import heap
from shared.observability.logs import configure_logging
from shared.priority import step_back
from shared.service import Service
from shared.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)

_EXIT_MISCONFIGURED = 78
"""EX_CONFIG of sysexits.h: starting again will not help."""


def run_service(name: str, settings_class: type[S], build: Callable[[S], Service]) -> None:
    """Run the service `name` until it is told to stop; a wrong variable is one line that names it."""
    try:
        settings = settings_class()
    except ValidationError as error:
        prefix = settings_class.model_config.get("env_prefix", "")
        for problem in error.errors(include_input=False, include_url=False):
            variable = prefix + "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{name}: {variable}: {problem['msg']}\n")
        sys.exit(_EXIT_MISCONFIGURED)
    configure_logging(service=name, log_format=settings.log_format, level=settings.log_level)
    step_back(settings.niceness)
    service = build(settings)
    heap.settle()
    service.run()

"""`python -m services.intake` runs the service with settings from the environment."""

from services.intake.main import build
from services.intake.settings import Settings
from shared.observability.logs import configure_logging

if __name__ == "__main__":
    settings = Settings()  # required values come from the environment
    configure_logging(service="intake", log_format=settings.log_format, level=settings.log_level)
    build(settings).run()

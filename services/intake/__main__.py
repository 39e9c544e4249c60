"""Run intake: `python -m services.intake`, settings from the environment."""

from services.intake.main import build
from services.intake.settings import Settings
from shared.observability import logs

if __name__ == "__main__":
    settings = Settings()
    logs.configure("intake", settings)
    build(settings).run()

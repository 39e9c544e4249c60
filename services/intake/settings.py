"""What intake reads from the environment: what every service does, and nothing more so far."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of intake."""

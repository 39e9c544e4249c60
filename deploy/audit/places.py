"""Where the logs are and whose signatures count: this machine's installation, or what the options say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.audit.source import TABLES
from deploy.local.folder import StateFolder, default_home, remembered_port
from deploy.local.ports import LOOPBACK
from deploy.local.problems import CannotStart
from deploy.local.stack import DATABASE, TOPIC_PREFIX, audit_secret_name
from shared.audit.signing import AuditKey, PublicKeys


@dataclass(frozen=True)
class Places:
    """What a verification needs to know.

    Args:
        urls: service → database URL.
        keys: service → whose signatures count.
        kafka: bootstrap servers, if known.
        prefix: of the topics.
    """

    urls: Mapping[str, str]
    keys: Mapping[str, PublicKeys]
    kafka: str | None
    prefix: str = TOPIC_PREFIX


def places(
    services: Sequence[str],
    *,
    database: str | None,
    public_keys: Sequence[str],
    kafka: str | None,
    prefix: str | None,
) -> Places:
    """From the options; what they leave out, from the installation in `.ticketing`.

    Raises:
        CannotStart: neither says where the database is, or a key is no key.
    """
    home = default_home()
    local = StateFolder(home) if (home / "secrets.json").exists() else None
    if database is None and local is None:
        raise CannotStart(f"nothing has run in {home}; start the product first, or give --database")
    urls = {service: database or _local_url(home, local, service) for service in services}
    if kafka is None and local is not None and (port := remembered_port(home, "kafka")):
        kafka = f"{LOOPBACK}:{port}"
    return Places(
        urls, _keys(services, public_keys, local, database), kafka, prefix or TOPIC_PREFIX
    )


def trusted_keys(public_keys: Sequence[str]) -> dict[str, PublicKeys]:
    """Whose signatures count, where no database is asked: those given, else those of the installation in `.ticketing`.

    Raises:
        CannotStart: a key is no key.
    """
    home = default_home()
    local = StateFolder(home) if (home / "secrets.json").exists() else None
    return _keys(tuple(TABLES), public_keys, local, None)


def _local_url(home: Path, local: StateFolder | None, service: str) -> str:
    port = remembered_port(home, "postgres")
    if local is None or port is None:
        raise CannotStart(f"nothing has run in {home}; start the product first, or give --database")
    password = local.secret(f"postgres-{service}")
    return f"postgresql://{service}:{password}@{LOOPBACK}:{port}/{DATABASE}"


def _keys(
    services: Sequence[str],
    public_keys: Sequence[str],
    local: StateFolder | None,
    database: str | None,
) -> dict[str, PublicKeys]:
    # A key of one service says nothing about another's log: `sla=…` counts for sla alone.
    given: list[tuple[str | None, str]] = []
    for text in public_keys:
        name, equals, key = text.partition("=")
        is_named = bool(equals) and name in TABLES
        given.append((name, key) if is_named else (None, text))

    def of(service: str) -> list[str]:
        if local and database is None and not given:
            return [AuditKey(local.secret(audit_secret_name(service)), service).public]
        return [key for name, key in given if name in {None, service}]

    try:
        return {service: PublicKeys(*of(service)) for service in services}
    except ValueError as error:
        raise CannotStart(f"--public-key: {error}") from None

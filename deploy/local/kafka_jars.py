"""Apache Kafka's jars, resolved once from their coordinates and held to the checksums in `kafka_jars.lock`."""

import fcntl
import hashlib
from pathlib import Path
from typing import Final

from deploy.local.problems import CannotStart, disk_errors_in_words

KAFKA_VERSION: Final = "4.3.1"
COORDINATES: Final = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
        # Named again, because log4j's own build mentions an older client and the resolver would take that one.
        f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    )
)
_LOCK: Final = Path(__file__).with_name("kafka_jars.lock")


def resolve() -> list[Path]:
    """The jars of the class path; the first call on a machine fetches about 60 MB, later ones nothing.

    Raises:
        CannotStart: no network at the first call, or a jar is not the one we know.
    """
    folder = _folder()
    jars = sorted(folder.glob("*/*.jar"))
    _verify(jars)
    return jars


def _folder() -> Path:
    import jgo  # noqa: PLC0415 - 0.3 s that no other command should pay
    import requests  # noqa: PLC0415

    cache = Path.home() / ".cache" / "jgo"
    with disk_errors_in_words(cache):
        cache.mkdir(parents=True, exist_ok=True)
        # Two first starts at once would write the same files.
        with (cache / "ticketing.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                return Path(jgo.build(COORDINATES, cache_dir=cache).path)
            except (requests.RequestException, RuntimeError, ValueError) as error:
                raise CannotStart(
                    f"Apache Kafka {KAFKA_VERSION} could not be fetched "
                    f"({type(error).__name__}: {_first_line(error)}); "
                    "connect this machine to the network (HTTPS_PROXY is honoured) and run the same command again"
                ) from error


def _verify(jars: list[Path]) -> None:
    lines = (line.split() for line in _LOCK.read_text().splitlines() if not line.startswith("#"))
    wanted = {name: checksum for checksum, name in lines}
    found = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            what = "is missing" if name not in found else "is not the file we know"
            where = jars[0].parent.parent if jars else "the cache"
            raise CannotStart(f"{name} {what}; remove {where} and run the same command again")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]

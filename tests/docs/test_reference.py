"""The reference pages say what the code says today."""

from collections.abc import Callable

import msgspec
import pytest

from deploy.reference.__main__ import DOCS, PAGES, main
from deploy.reference.bi import bi_page
from deploy.reference.catalogue import catalogue_page
from deploy.reference.events import events_page
from deploy.reference.files import files_page, rows
from deploy.reference.metrics import metrics_page
from deploy.reference.settings import settings_page
from services.intake.channels.installed import Channels
from services.intake.channels.mail.mailboxes import MailboxesFile
from shared.events import known_types
from shared.observability import metrics
from shared.settings import ServiceSettings
from tests.support.database import fresh_database
from tests.support.servers import Servers

STALE = "run `make reference`"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("events", events_page),
        ("metrics", metrics_page),
        ("metrics-catalogue", catalogue_page),
        ("settings", settings_page),
        ("settings-files", files_page),
    ],
)
def test_the_page_is_current(name: str, made: Callable[[], str]) -> None:
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == made(), STALE


@pytest.mark.integration
def test_the_dictionary_of_bi_is_current(servers: Servers) -> None:
    with fresh_database(servers.postgres) as database:
        assert (DOCS / "bi.md").read_text(encoding="utf-8") == bi_page(database.url("query")), STALE


def test_every_page_is_checked_here() -> None:
    assert PAGES.keys() == {
        "bi", "events", "metrics", "metrics-catalogue", "settings", "settings-files",
    }  # fmt: skip


def test_every_event_metric_and_setting_is_on_its_page() -> None:
    """Asked of the sources by another way than the pages are made."""
    events, settings = events_page(), settings_page()
    assert [tag for tag in known_types() if f"### {tag}\n" not in events] == []
    page = metrics_page()
    shown = b"".join(metrics.exposition(one) for one in ("intake", "routing", "sla", "query"))
    names = {line.split()[2] for line in shown.decode().splitlines() if line.startswith("# HELP")}
    # `…_created` is the library's own: when a counter began.
    ours = {
        name for name in names if name.startswith("ticketing_") and not name.endswith("_created")
    }
    assert len(ours) > 40
    assert sorted(name for name in ours if f"`{name}`" not in page) == []
    variables = [f"`TICKETING_{name.upper()}`" for name in ServiceSettings.model_fields]
    assert [name for name in variables if name not in settings] == []


@pytest.mark.parametrize("cls", [Channels, MailboxesFile])
def test_every_key_of_the_settings_files_is_on_their_page_with_its_meaning(cls: type) -> None:
    """Asked of the JSON schema that msgspec makes, as the rows are not."""
    paths = {row[0].strip("`").removesuffix("[]").removesuffix(".<name>") for row in rows(cls)}
    shown = {path.rpartition(".")[2] for path in paths}
    _, shapes = msgspec.json.schema_components([cls])
    keys = {
        key
        for name, shape in shapes.items()
        if name != "SecretIn"  # a value, told as one
        for key in shape.get("properties", ())
    }
    assert len(keys) > 15
    assert keys <= shown
    assert [row[0] for row in rows(cls) if not row[3]] == []


def test_an_unknown_page_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weather"]) == 2
    assert "no such page: weather" in capsys.readouterr().err

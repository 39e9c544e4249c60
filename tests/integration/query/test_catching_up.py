"""What processes work off beside the service comes out as what the service projects by itself."""

import pytest

from services.query.projections import Projections
from services.query.projections.groups import Group
from shared.messaging.catching_up import CatchUp
from tests.integration.query.random_lives import random_life
from tests.integration.query.running import open_running
from tests.support.servers import Servers
from tests.support.topics import fresh_topics

pytestmark = pytest.mark.integration


async def test_tables_are_the_same_whoever_works_off_the_backlog(
    servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    stories = [random_life(number, seed=number) for number in range(1, 61)]
    total = sum(len(story.events) for story in stories)
    with fresh_topics(servers.kafka) as prefix:
        async with open_running(servers, prefix) as alone:
            await alone.publish(*stories)
            await alone.projected(total)
            expected = {group: alone.contents(group) for group in Group}
        assert "consumer_catches_up" not in capsys.readouterr().out
        plan = CatchUp(Projections, processes=2, behind_min=total // 2)
        async with open_running(servers, prefix, catch_up=plan) as helped:
            await helped.projected(total)
            assert {group: helped.contents(group) for group in Group} == expected
        assert "consumer_catches_up" in capsys.readouterr().out

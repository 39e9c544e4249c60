"""The live chat, as the file of channels has it."""

from services.intake.channels.chat.desk import ChatDesk
from services.intake.channels.chat.hub import Hub
from services.intake.channels.chat.idle import SilenceWatch
from services.intake.channels.chat.readings import ChatReadings
from services.intake.channels.chat.replies import SOURCE, ChatOutbox, ChatReplies
from services.intake.channels.chat.routes import chat_pages, chat_router
from services.intake.channels.chat.sockets import Room, chat_sockets
from services.intake.channels.chat.store import ChatReading
from services.intake.channels.kind import House, Parts
from services.intake.secrets import Secret
from shared.eventstore import GroupCommitter
from shared.sensitivity import Sensitivity


def build(house: House) -> Parts:
    """See `channels.kind`. Messages have a committer of their own: they wait for no ticket."""
    settings, store = house.channels.chat, house.store
    if settings is None:
        return Parts(routers=[chat_router(None), chat_pages(None), chat_sockets(None)])
    committer = GroupCommitter(store, group_max=house.settings.commit_group_max)
    reading = ChatReading(store)
    hub = Hub(
        reading,
        redis_url=house.redis_url,
        channel=f"{house.settings.topic_prefix}intake.chat",
    )
    desk = ChatDesk(house.intake, committer, settings, hub.announce)
    readings = ChatReadings(store, reading, Sensitivity(house.settings))
    room = Room(desk, hub, reading, house.identity, Secret("chat"), store, readings)
    return Parts(
        routers=[chat_router(room), chat_pages(room), chat_sockets(room)],
        outgoing=ChatOutbox(house.settings.public_url),
        sends={SOURCE: ChatReplies(store, hub.announce)},
        tasks=[hub.run, SilenceWatch(desk).run],
        committers=[committer],
        on_drain=[hub.end_sockets],
        on_stop=[hub.close],
        websockets=True,
    )

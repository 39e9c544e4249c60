"""Messengers, as the file of channels has them, each with its secrets read."""

from collections.abc import Mapping
from datetime import timedelta

from services.intake.channels.conversations.leaving import Sends
from services.intake.channels.conversations.outbox import MessengerOutbox
from services.intake.channels.installed import ChannelsAreWrong, Messengers
from services.intake.channels.kind import House, Parts
from services.intake.channels.messengers.files import FilesOut
from services.intake.channels.messengers.kind import Messenger
from services.intake.channels.messengers.media import MediaIn
from services.intake.channels.messengers.receiving import MessengersIn
from services.intake.channels.messengers.routes import messenger_router
from services.intake.channels.messengers.sender import MessengerSender
from services.intake.channels.messengers.telegram import TelegramAdapter
from services.intake.channels.messengers.webhook import WebhookAdapter
from services.intake.channels.messengers.whatsapp import WhatsAppAdapter


def build(house: House) -> Parts:
    """See `channels.kind`.

    Raises:
        ChannelsAreWrong: a secret is not there or has another form.
    """
    intake, settings = house.intake, house.settings
    messengers = adapters(house.channels.messengers)
    media = MediaIn(house.contents, bytes_max=settings.attachment_bytes_max)
    router = messenger_router(MessengersIn(intake), media, messengers, house.store, house.clock)
    return Parts(
        routers=[router],
        outgoing=MessengerOutbox(settings.public_url) if messengers else None,
        sends=messengers,
        on_stop=[one.close for one in messengers.values()],
    )


def build_sender(house: House, sends: Mapping[str, Sends]) -> MessengerSender:
    """What empties the outbox, for every channel whose parts bring something to its readers."""
    settings = house.channels.messengers
    files = FilesOut(
        house.store,
        house.contents,
        public_url=house.settings.public_url,
        link_lives=timedelta(days=settings.file_link_days),
    )
    give_up = timedelta(hours=settings.give_up_hours)
    return MessengerSender(house.intake, house.store, sends, files, give_up=give_up)


def adapters(settings: Messengers) -> dict[str, Messenger]:
    """All of them by source, such as `telegram:support`.

    Raises:
        ChannelsAreWrong: a secret is not there or has another form.
    """
    found: list[Messenger] = []
    for name, hook in settings.webhook.items():
        at = f"messengers.webhook.{name}.secret"
        try:
            found.append(WebhookAdapter(name, hook, hook.secret.read(at)))
        except ValueError as error:
            raise ChannelsAreWrong(f"{at}: expected whsec_ and base64") from error
    for name, bot in settings.telegram.items():
        at = f"messengers.telegram.{name}"
        token, secret = bot.token.read(f"{at}.token"), bot.secret.read(f"{at}.secret")
        found.append(TelegramAdapter(name, bot, token, secret))
    for name, number in settings.whatsapp.items():
        at = f"messengers.whatsapp.{name}"
        found.append(
            WhatsAppAdapter(
                name,
                number,
                app_secret=number.app_secret.read(f"{at}.app_secret"),
                verify_token=number.verify_token.read(f"{at}.verify_token"),
                access_token=number.access_token.read(f"{at}.access_token"),
            )
        )
    return {one.source: one for one in found}

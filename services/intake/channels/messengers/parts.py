"""The messengers that are configured, each with its secrets read."""

from services.intake.channels.installed import ChannelsAreWrong, Messengers
from services.intake.channels.messengers.kind import Messenger
from services.intake.channels.messengers.telegram import TelegramAdapter
from services.intake.channels.messengers.webhook import WebhookAdapter
from services.intake.channels.messengers.whatsapp import WhatsAppAdapter


def build_messengers(settings: Messengers) -> dict[str, Messenger]:
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

"""Which channels are on, from a settings file: each section switches one on, and none holds a secret itself."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from services.intake.domain import limits
from shared.errors import NotFound
from shared.events import Priority

Word = Annotated[str, Meta(pattern=r"^[^\r\n]*\S[^\r\n]*$", max_length=limits.WORD_CHARS_MAX)]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Url = Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=2_000)]
Origin = Annotated[
    str, Meta(pattern=r"^https?://[A-Za-z0-9.*-]+(:\d{1,5})?$|^'self'$", max_length=255)
]
TextName = Literal[
    "name", "email", "subject", "body", "files", "send", "required", "choose", "only_if", "errors",
    "thanks", "number", "again", "trap", "articles", "needs_script",
]  # fmt: skip
"""Our own words on the pages of forms."""


class ChannelsAreWrong(Exception):
    """The file of channels cannot be used; the message names the place. Raised at start."""


class ChannelIsOff(NotFound):
    """Nobody has switched this channel on (docs/channels.md)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The channel {name} is not switched on here.")


class WayIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tickets of one way in begin with.

    Attributes:
        group, brand: custom fields `group` and `brand`, which routing rules read.
        priority, ticket_type, tags: of the ticket.
    """

    group: Slug | None = None
    brand: Word | None = None
    priority: Priority = Priority.NORMAL
    ticket_type: Word | None = None
    tags: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """The custom fields of its tickets."""
        said = {"group": self.group, "brand": self.brand}
        return {name: value for name, value in said.items() if value is not None}


class SecretIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: the path of a `file`, or the name of an environment variable (`env`)."""

    file: str | None = None
    env: str | None = None

    def read(self, of: str) -> str:
        """The secret without white space around it.

        Raises:
            ChannelsAreWrong: neither or both are named, or there is nothing.
        """
        if (self.file is None) == (self.env is None):
            raise ChannelsAreWrong(f"{of}: name either a file or an env")
        try:
            text = (
                Path(self.file).read_text(encoding="utf-8")
                if self.file is not None
                else os.environ[self.env or ""]
            )
        except (OSError, KeyError, UnicodeDecodeError) as error:
            raise ChannelsAreWrong(f"{of}: {type(error).__name__} {error}") from error
        if not text.strip():
            raise ChannelsAreWrong(f"{of}: is empty")
        return text.strip()


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sites that say who their visitors are.

    Attributes:
        secrets: one of each site, 32 bytes or more, that signs its tokens; during a rotation both.
    """

    secrets: Annotated[tuple[SecretIn, ...], Meta(max_length=20)] = ()

    def read(self) -> list[str]:
        """The secrets. Raises ChannelsAreWrong."""
        return [one.read(f"identity.secrets[{place}]") for place, one in enumerate(self.secrets)]


class PhoneLine(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number of ours.

    Attributes:
        number: as people dial it; with its country's code, or of `region`.
        name: for people.
        opens: which calls in make a ticket when their caller has none open: `always`, only `missed` ones, `never`.
        outbound_opens: whether an answered call out does.
    """

    number: str
    name: Word | None = None
    opens: Literal["always", "missed", "never"] = "always"
    outbound_opens: bool = False


class Phone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The telephone.

    Attributes:
        region: the country (ISO 3166) of numbers that are said without its code.
        joins_within_hours: a call belongs to its caller's open ticket of an earlier call for so long.
        lines: our numbers; calls over others follow the rule of the first one, or the default.
    """

    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    joins_within_hours: Annotated[float, Meta(gt=0, le=8_784)] = 72.0
    lines: Annotated[tuple[PhoneLine, ...], Meta(max_length=1_000)] = ()


class Forms(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Web forms: the public ones of `/v1/forms`, as pages under `/forms/`.

    Attributes:
        frame_ancestors: sites that may show them in a frame, such as `https://shop.example`; none: nobody.
        language: of the page, for browsers and screen readers (BCP 47). `texts`: our own words on it, replaced.
        seconds_min: what is sent sooner was filled in by a program. `lives_hours`: how long a page may stay open.
        per_address_max: how many one network address may send. `per_address_seconds`: in this time.
        proof_of_work_bits: how much a browser works first (16 is about a tenth of a second); 0: nothing, and the
            form works without scripts.
        files_max: files with one message. `consent`, `consent_url`: what has to be ticked, and where it is explained.
    """

    frame_ancestors: Annotated[tuple[Origin, ...], Meta(max_length=100)] = ()
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    texts: dict[TextName, Annotated[str, Meta(max_length=500)]] = {}
    seconds_min: Annotated[float, Meta(ge=0, le=60)] = 3.0
    lives_hours: Annotated[float, Meta(gt=0, le=720)] = 24.0
    per_address_max: Annotated[int, Meta(ge=1, le=100_000)] = 20
    per_address_seconds: Annotated[float, Meta(ge=1, le=86_400)] = 3_600.0
    proof_of_work_bits: Annotated[int, Meta(ge=0, le=24)] = 0
    files_max: Annotated[int, Meta(ge=0, le=20)] = 5
    consent: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    consent_url: Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=2_000)] | None = None


class WebhookMessenger(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any system that signs by Standard Webhooks.

    Attributes:
        secret: `whsec_…`; during a rotation the new one and the old one with a space between.
        reply_url: where replies are posted, signed with the same secret; none: they are not.
    """

    secret: SecretIn
    reply_url: Url | None = None


class TelegramBot(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bot.

    Attributes:
        token: as BotFather gave it. `secret`: what `setWebhook` is told as `secret_token`.
        api: where the Bot API is, for a server of one's own.
    """

    token: SecretIn
    secret: SecretIn
    api: Url = "https://api.telegram.org"


class WhatsAppNumber(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number in the Cloud API.

    Attributes:
        phone_number_id: as Meta calls it.
        app_secret: of the app, signs what comes. `verify_token`: what the webhook is confirmed with.
        access_token: of a system user.
        template: what carries a reply more than 24 hours after the customer's last message; its body has one parameter,
            the reply. None: such replies are refused.
        template_language: of the template. `template_chars_max`: at so many characters the parameter is cut.
        api: with its version. `media_origins`: where Meta keeps what customers send; nothing is fetched from elsewhere.
    """

    phone_number_id: Annotated[str, Meta(pattern=r"^\d{1,32}$")]
    app_secret: SecretIn
    verify_token: SecretIn
    access_token: SecretIn
    template: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,512}$")] | None = None
    template_language: Annotated[str, Meta(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] = "en"
    template_chars_max: Annotated[int, Meta(ge=1, le=1_024)] = 1_000
    api: Url = "https://graph.facebook.com/v24.0"
    media_origins: tuple[Url, ...] = ("https://lookaside.fbsbx.com",)


class Messengers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messengers by the names under which their webhooks are called: `/v1/channels/messengers/{kind}/{name}`.

    Attributes:
        give_up_hours: how long a reply is tried, with growing pauses, while the messenger is away.
        file_link_days: how long a link opens a file that the messenger does not take itself.
    """

    webhook: dict[Slug, WebhookMessenger] = {}
    telegram: dict[Slug, TelegramBot] = {}
    whatsapp: dict[Slug, WhatsAppNumber] = {}
    give_up_hours: Annotated[float, Meta(gt=0, le=168)] = 24.0
    file_link_days: Annotated[float, Meta(gt=0, le=366)] = 30.0


class LiveChat(WayIn, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The live chat.

    Attributes:
        frame_ancestors: sites that may show the chat, such as `https://shop.example`; none: nobody.
        title, greeting: what a visitor reads before anything was written. `language`: of the page (BCP 47).
        idle_minutes: a chat in which nobody wrote for so long ends.
        missed_opens: a chat that no agent joined becomes a ticket when it ends.
        ended_opens: so does every other that has made none.
        anonymous: visitors need not be signed for by a site (`identity`).
        visitors_max: sockets that one process holds.
    """

    frame_ancestors: Annotated[tuple[Origin, ...], Meta(max_length=100)] = ()
    title: Word = "Chat"
    greeting: Annotated[str, Meta(max_length=500)] = "How can we help?"
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")] = "en"
    idle_minutes: Annotated[float, Meta(gt=0, le=10_080)] = 20.0
    missed_opens: bool = True
    ended_opens: bool = False
    anonymous: bool = True
    visitors_max: Annotated[int, Meta(ge=1, le=100_000)] = 5_000


class Channels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. A section that is not there is a channel that is off."""

    phone: Phone | None = None
    forms: Forms | None = None
    messengers: Messengers = Messengers()
    chat: LiveChat | None = None
    identity: Identity = Identity()

    @classmethod
    def read(cls, file: Path | None) -> "Channels":
        """From the settings file (YAML); without one all channels but mail are off.

        Raises:
            ChannelsAreWrong: it cannot be read, or says something that is not known.
        """
        if file is None:
            return cls()
        try:
            said = yaml.safe_load(file.read_text(encoding="utf-8"))
            return msgspec.convert(said or {}, cls)
        except (OSError, yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
            raise ChannelsAreWrong(f"{file}: {error}") from error

"""Web forms, as the file of channels has them: messages in; what is answered leaves by mail."""

from services.intake.channels.form.receiving import WebForms
from services.intake.channels.form.routes import form_router
from services.intake.channels.kind import House, Parts
from services.intake.channels.pace import SenderPace


def build(house: House) -> Parts:
    """See `channels.kind`."""
    settings, forms, pace = house.channels.forms, None, None
    if settings is not None:
        forms = WebForms(house.intake, settings, house.identity)
        pace = SenderPace(
            house.redis_url,
            prefix=f"{house.settings.topic_prefix}intake.forms.",
            count_max=settings.per_address_max,
            seconds=settings.per_address_seconds,
        )
    file_bytes_max = house.settings.attachment_bytes_max
    router = form_router(forms, house.store, house.contents, pace, file_bytes_max=file_bytes_max)
    return Parts(routers=[router], on_stop=[] if pace is None else [pace.close])

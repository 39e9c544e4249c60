"""The telephone, as the file of channels has it: calls in; nothing leaves by it."""

from services.intake.channels.kind import House, Parts
from services.intake.channels.phone.calls import PhoneCalls
from services.intake.channels.phone.routes import phone_router


def build(house: House) -> Parts:
    """See `channels.kind`."""
    phone = house.channels.phone
    calls = None if phone is None else PhoneCalls(house.intake, phone)
    return Parts(routers=[phone_router(calls, house.store, house.clock)])

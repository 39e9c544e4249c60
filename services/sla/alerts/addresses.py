"""Where alerts may go: a receiver's name is resolved here, and every address it has is looked at.

A receiver's address is configuration, but it must not become a door into the network we stand in.
The connection then goes to the very address that was checked: a second resolution could say
something else.
"""

import asyncio
import ipaddress
import socket

from services.sla.alerts.sink import NotDelivered

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressRefused(NotDelivered):
    """The receiver's name leads to an address that alerts may not go to."""


async def checked(host: str, port: int, *, private_allowed: bool) -> list[str]:
    """The addresses of `host`, all of them checked, in the order in which to try them.

    Raises:
        AddressRefused: one of them is private, and that is not allowed; a name that leads to both
            kinds is not trusted with either.
        NotDelivered: there is no such name now.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered("the receiver's name cannot be resolved") from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not private_allowed and not all(map(is_public, addresses)):
        raise AddressRefused(
            "the receiver's address is private; TICKETING_ALERT_PRIVATE_ADDRESSES_ALLOWED permits it"
        )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address belongs to one receiver in the open internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found in _NAT64:
            found = ipaddress.IPv4Address(found.packed[-4:])
        else:
            found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast

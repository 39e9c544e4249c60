"""The running product of this machine, for commands: where its front door is, and a token to go through it."""

from deploy.front_door import FrontDoor
from deploy.local.folder import default_home, remembered_port
from deploy.local.problems import CannotStart
from shared.security.issuer import LocalIssuer
from shared.security.principal import Role

_TOKEN_SECONDS = 12 * 3600


def local_address() -> str:
    """The address of the front door that `make run` opened.

    Raises:
        CannotStart: the product was never started in this folder.
    """
    home = default_home()
    port = remembered_port(home, "front-door")
    if port is None:
        raise CannotStart(f"nothing has run in {home}; start the product first, or give --url")
    return f"http://127.0.0.1:{port}"


def local_token(subject: str, role: Role) -> str:
    """A token of this installation's own issuer.

    Raises:
        CannotStart: there is no issuer here.
    """
    folder = default_home() / "keys"
    if not (folder / "signing.pem").exists():
        raise CannotStart(f"no issuer in {folder}; start the product first, or give --token")
    return LocalIssuer(folder).issue(subject, role, ttl_seconds=_TOKEN_SECONDS)


def open_door(subject: str, role: Role, *, url: str | None, token: str | None) -> FrontDoor:
    """The front door of this machine's product, or of another one by `url` and `token`."""
    return FrontDoor(url or local_address(), token or local_token(subject, role))

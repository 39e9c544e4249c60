"""`ticketing run`: the whole product on one machine, until somebody stops it."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import Final

from rich.console import Console

from deploy.bootstrap import start_log_over
from deploy.local.child import Child
from deploy.local.folder import default_home
from deploy.local.screen import Screen
from deploy.local.services import Services
from deploy.local.stack import DATABASE, Server, Stack, start_together
from deploy.local.watch import Watch
from shared.security.principal import Role

_LOOK_SECONDS: Final = 0.25
_WELCOME_TOKEN_SECONDS: Final = 86_400
_DEMO: Final = "deploy.local.demo"


class _Stopped(BaseException):
    """Somebody asked us to end; not an Exception, so that nobody takes it for a failure."""


def run(*, demo: bool, log_replaced: bool = False) -> int:
    """Start everything, say where it is, look after it, and stop it in good order at Ctrl-C or SIGTERM.

    Args:
        demo: seed the demo organisation and keep a gentle load going.
        log_replaced: Kafka's data was lost; everything is published and read again.

    Returns:
        The exit status: 0 after a clean stop.

    Raises:
        CannotStart: something is in the way; its message says what to do, nothing is left running.
    """
    console = Console(highlight=False)
    with _stop_signals():
        try:
            _run(console, demo=demo, log_replaced=log_replaced)
        except _Stopped:
            console.print("stopped; the data stays, the same command continues with it")
    return 0


def _run(console: Console, *, demo: bool, log_replaced: bool) -> None:
    screen = Screen(console)
    say = partial(console.print, soft_wrap=True)
    stack = Stack(default_home(), progress=screen)
    services: Services | None = None
    load_must_end = threading.Event()
    load: threading.Thread | None = None
    try:
        with screen:
            stack.start()
            if log_replaced:
                start_log_over(stack.postgres.conninfo(), DATABASE)
            services = Services(stack, say=say)
            services.start()
            _wait_for(services, screen)
            start_together([stack.caddy], screen)
            if demo:
                _seed(stack, screen)
        if demo:
            load = _start_load(stack, load_must_end, console)
        _welcome(stack, console)
        _look_after(stack, services, say)
    finally:
        with _deaf():
            if stack.is_started:
                console.print("stopping …")
            load_must_end.set()
            if load:
                load.join(timeout=10)
            if stack.caddy.child:
                stack.caddy.child.stop()
            if services:
                services.stop()
            stack.stop()


def _wait_for(services: Services, screen: Screen) -> None:
    with ThreadPoolExecutor(max_workers=len(services.names)) as threads:
        waiting = {}
        for name in services.names:
            screen.step(name, "starting")
            waiting[threads.submit(services.wait_until_ready, name)] = name
        try:
            for future in as_completed(waiting):
                future.result()
                screen.done(waiting[future])
        except BaseException:
            services.stop()  # the other threads notice and return; we would wait for them otherwise
            raise


def _look_after(stack: Stack, services: Services, say: Callable[[str], None]) -> None:
    """Never returns: ends by `_Stopped`."""
    watches = services.watches()
    for server in (*stack.servers, stack.caddy):
        watches.append(Watch(server.name, partial(_child_of, server), server.start, say))
    pause = threading.Event()
    while True:
        for watch in watches:
            watch.look()
        pause.wait(_LOOK_SECONDS)


def _child_of(server: Server) -> Child | None:
    return server.child


def _seed(stack: Stack, screen: Screen) -> None:
    if find_spec(_DEMO) is None:
        return
    screen.step("Demo organisation", "seeding")
    import_module(_DEMO).seed(stack)
    screen.done("Demo organisation")


def _start_load(
    stack: Stack, must_end: threading.Event, console: Console
) -> threading.Thread | None:
    if find_spec(_DEMO) is None:
        return None

    def work() -> None:
        try:
            import_module(_DEMO).load(stack, must_end)
        except Exception as error:  # noqa: BLE001 - the product goes on without the demo, and says so
            console.print(f"the demo load has ended: {type(error).__name__}: {error}")

    thread = threading.Thread(target=work, name="demo load", daemon=True)
    thread.start()
    return thread


def _welcome(stack: Stack, console: Console) -> None:
    door = stack.front_door
    assert stack.issuer is not None
    token = stack.issuer.issue("me", Role.ADMIN, name="You", ttl_seconds=_WELCOME_TOKEN_SECONDS)
    console.print(f"\n[bold green]Ready:[/] open [bold]{door}/[/]\n")
    # Behind the # it stays in the browser: it is in no log of ours.
    console.print(f"Signed in as an admin for a day: {door}/login#{token}\n", soft_wrap=True)
    console.print(f"Customers write at {door}/forms/contact and {door}/chat/frame;", soft_wrap=True)
    console.print(f"agents answer chats at {door}/chat/desk.\n", soft_wrap=True)
    console.print("Try next, in another terminal:")
    console.print("  TOKEN=$(.venv/bin/ticketing token --role admin --subject me)")
    console.print(f'  curl -s -H "Authorization: Bearer $TOKEN" {door}/v1/tickets', soft_wrap=True)
    console.print("  .venv/bin/ticketing --help")
    console.print(
        f"\nLogs and data: {stack.folder.path}   Ctrl-C stops everything.", soft_wrap=True
    )


@contextmanager
def _stop_signals() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _deaf() -> Iterator[None]:
    """While we stop in good order another Ctrl-C must not tear it apart; every wait in there is bounded."""
    before = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

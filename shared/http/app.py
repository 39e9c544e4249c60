"""One way to make the HTTP side of a service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Response
from fastapi.telemetry import TelemetryConfig

from shared.http import openapi, problems
from shared.http.client_ip import TrustedProxies
from shared.http.health import HealthState, health_router
from shared.http.limits import LimitsMiddleware
from shared.http.shortcuts import ShortcutMiddleware, Shortcuts
from shared.observability import metrics
from shared.observability.access import AccessMiddleware
from shared.observability.correlation import CorrelationMiddleware
from shared.observability.eventloop import watch_event_loop
from shared.security.keys import key_source
from shared.security.tokens import TokenVerifier
from shared.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_api(
    *,
    name: str,
    title: str,
    version: str,
    settings: ServiceSettings,
    health: HealthState | None = None,
    tokens: TokenVerifier | None = None,
    lifespan: Lifespan | None = None,
    shortcuts: Shortcuts | None = None,
) -> FastAPI:
    """A FastAPI with problem details, correlation ids, token checks, body limit, health, metrics, `/openapi.json`.

    `app.state.health` (HealthState) and `app.state.tokens` (TokenVerifier) are for wiring and tests.

    Args:
        name: the service; its own metrics are on its `/metrics`.
        title: heads the API document.
        version: of the product.
        settings: body limit, issuer, audience and where the issuer's keys are.
        health: given when parts exist before the API does.
        tokens: given by tests that have an issuer of their own.
        lifespan: entered after ours.
        shortcuts: endpoints of hot addresses that do not go through the router.
    """
    app = FastAPI(
        title=title,
        version=version,
        lifespan=_with_watch(lifespan),
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # an address has one spelling; a redirect would drop the body of a POST
        generate_unique_id_function=openapi.operation_id,
        responses=openapi.problem_responses(),
        telemetry=TelemetryConfig(tracing=False, metrics=False, logs=False, operation_spans=False),
    )
    app.state.health = health or HealthState()
    app.state.tokens = tokens or TokenVerifier(
        key_source(file=settings.jwks_file, url=settings.jwks_url),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    if settings.jwks_file is None and settings.jwks_url is None and tokens is None:
        missing = (
            "set TICKETING_JWKS_FILE or TICKETING_JWKS_URL: without keys every token is refused"
        )
        app.state.health.set("keys", False, missing)
    app.state.trusted_proxies = TrustedProxies(settings.trusted_proxies.split(","))
    problems.install(app)
    openapi.install(app)
    # The last one added is the outermost.
    if shortcuts:
        app.add_middleware(ShortcutMiddleware, shortcuts=shortcuts)
    app.add_middleware(LimitsMiddleware, body_bytes_max=settings.http_body_bytes_max)
    app.add_middleware(problems.ProblemsMiddleware)
    app.add_middleware(AccessMiddleware)
    app.add_middleware(CorrelationMiddleware)
    app.include_router(health_router(app.state.health))
    _add_metrics(app, name)
    return app


def _add_metrics(app: FastAPI, name: str) -> None:
    @app.get("/metrics", tags=["health"], summary="Prometheus metrics, a sentence each.")
    async def metrics_page() -> Response:
        page = await asyncio.to_thread(metrics.exposition, name)
        return Response(page, media_type=metrics.CONTENT_TYPE)


def _with_watch(lifespan: Lifespan | None) -> Lifespan:
    @contextlib.asynccontextmanager
    async def watched(app: FastAPI) -> AsyncIterator[None]:
        watch = asyncio.create_task(watch_event_loop(), name="watch-event-loop")
        try:
            if lifespan is None:
                yield
            else:
                async with lifespan(app):
                    yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    return watched

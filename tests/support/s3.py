"""A real S3 server over HTTP, of this process's own, and somebody else's client for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

REGION: Final = "us-east-1"
KEY: Final = "test"
"""Key and secret: the server takes any."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address; what it holds is in memory."""
    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client_of(endpoint: str, *, bucket: str) -> Any:
    """Somebody else's S3 client; the bucket is there afterwards."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
    )
    client.create_bucket(Bucket=bucket)
    return client

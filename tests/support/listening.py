"""An HTTP server of a test that many may call at once."""

from http.server import ThreadingHTTPServer


class Listening(ThreadingHTTPServer):
    """Python's own lets five wait to be accepted; of forty at once one would find its connection reset."""

    request_queue_size = 128
    daemon_threads = True

"""A bare uvicorn with httptools and uvloop that answers every request with the same bytes: what any ASGI server costs.

Run as `python -m bench.bare PORT BODY_BYTES`.
"""

import sys
from typing import Any

import uvicorn

HEADERS = ((b"content-type", b"application/x-amz-json-1.1"), (b"x-amzn-requestid", b"0" * 36))


class Fixed:
    """The application. It takes in the request's body, as every server must."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._headers = [*HEADERS, (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        while (await receive()).get("more_body", False):
            continue
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def main(port: int, body_bytes: int) -> None:
    """Serve until ended."""
    application: Any = Fixed(b"x" * body_bytes)
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

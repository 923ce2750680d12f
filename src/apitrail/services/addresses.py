"""By which URL a caller reaches this server: for URLs in answers and in messages."""

import re

from apitrail.services.context import Context

HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def base_url(ctx: Context) -> str:
    """Return the URL that the caller has used, without a path; that of the settings for calls from inside."""
    server, call = ctx.settings.server, ctx.call
    if call is not None and HOST.fullmatch(call.host):
        return f"{'https' if call.tls is not None else 'http'}://{call.host}"
    return f"{'https' if server.tls_certificate_file else 'http'}://{server.advertised_host}:{server.port}"

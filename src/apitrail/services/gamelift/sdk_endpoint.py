"""Where game servers and agents connect to, as GameLift's answers name it.

Source: service model (Compute: GameLiftServiceSdkEndpoint, GameLiftAgentEndpoint, at most 128 characters); server SDK 5.
"""

from apitrail.settings import Settings

AGENT_PATH = "/agent"


def sdk_endpoint(settings: Settings) -> str:
    """Return the URL that a game server's SDK is given, `ws://127.0.0.1:4580`; without a path, as the SDKs add their own."""
    server, host = settings.server, settings.server.advertised_host
    if server.tls_certificate_file:
        scheme, port = "wss", server.port
    elif settings.gamelift.sdk_scheme == "wss":
        scheme, port = "wss", settings.gamelift.sdk_tls_port
    else:
        scheme, port = "ws", server.port
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def agent_endpoint(settings: Settings) -> str:
    """Return the URL that GameLift's Agent is given."""
    return sdk_endpoint(settings) + AGENT_PATH

"""What the tests of SNS share: calls on a stage, a courier that makes deliveries, and a subscriber on loopback."""

import base64
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from apitrail.errors import ServiceError
from apitrail.identity.principal import Principal
from apitrail.services.sns.envelope import string_to_sign
from apitrail.testing import Stage
from apitrail.testing.stage import ACCOUNT, REGION

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:work"
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}


def sns(stage: Stage, operation: str, principal: Principal | None = None, **params: Any) -> dict[str, Any]:
    return stage.call_(operation, params, service="sns", principal=principal)


def sqs(stage: Stage, operation: str, **params: Any) -> dict[str, Any]:
    return stage.call_(operation, params, service="sqs")


def refused(stage: Stage, operation: str, principal: Principal | None = None, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        sns(stage, operation, principal, **params)
    return caught.value


def deliver(stage: Stage) -> float | None:
    """Let the courier make what is due; return when it wants to come again."""
    pause: float | None = stage.run(stage.app.courier.tick())
    return pause


def make_queue(stage: Stage, arn: str = QUEUE, topic: str = TOPIC) -> str:
    """Make a queue that takes messages of a topic, and return its URL."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url: str = sqs(stage, "CreateQueue", QueueName=arn.rpartition(":")[2], Attributes={"Policy": policy})["QueueUrl"]
    return url


def subscribe(stage: Stage, protocol: str = "sqs", endpoint: str = QUEUE, **attributes: str) -> str:
    """Subscribe an endpoint to the topic, and return the subscription's ARN."""
    wanted = {"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes}
    arn: str = sns(stage, "Subscribe", **wanted, ReturnSubscriptionArn=True)["SubscriptionArn"]
    return arn


def bodies(stage: Stage, url: str) -> list[str]:
    """Take everything out of a queue."""
    found: list[str] = []
    while messages := sqs(stage, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        found += [message["Body"] for message in messages]
    return found


def check_signature(stage: Stage, envelope: dict[str, Any]) -> None:
    """Check an envelope as a subscriber does, with the certificate that its URL names."""
    name = envelope["SigningCertURL"].rpartition("/")[2]
    pem = stage.app.sns_certificate(name)
    assert pem is not None
    verify(envelope, pem)


def verify(envelope: dict[str, Any], pem: bytes) -> None:
    """Raise InvalidSignature unless the envelope was signed with a certificate's key."""
    key: Any = x509.load_pem_x509_certificate(pem).public_key()
    signature = base64.b64decode(envelope["Signature"])
    key.verify(signature, string_to_sign(envelope), padding.PKCS1v15(), HASHES[envelope["SignatureVersion"]])


class Subscriber:
    """An HTTP server on loopback that keeps what it gets. statuses: what it answers, in order; then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], str]] = []
        self.statuses: list[int] = []
        self.location = ""
        subscriber = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                subscriber.got.append(({**headers, ":path": self.path}, body))
                self.send_response(subscriber.statuses.pop(0) if subscriber.statuses else 200)
                if subscriber.location:
                    self.send_header("location", subscriber.location)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    def use_tls(self, folder: Path) -> Path:
        """Speak https with a certificate of its own, and return that certificate's file."""
        file = self_signed(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        return file


def self_signed(folder: Path) -> Path:
    """Return a file with a certificate for 127.0.0.1 and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "subscriber")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
    built = x509.CertificateBuilder(name, name, key.public_key(), 1)
    built = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
    certificate = built.add_extension(host, critical=False).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "subscriber.pem").write_bytes(certificate.public_bytes(encoding) + private)
    return folder / "subscriber.pem"


@contextmanager
def subscriber() -> Iterator[Subscriber]:
    """Let a subscriber listen."""
    door = Subscriber()
    thread = threading.Thread(target=door.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield door
    finally:
        door.server.shutdown()
        thread.join()
        door.server.server_close()

"""The archive of `apitrail verify` in an S3 bucket, and how the bucket is reached."""

from collections.abc import Callable
from functools import partial

from apitrail.cli.discovery import Target, environment_keys, find_target
from apitrail.cli.errors import CliError, usage_error
from apitrail.cli.options import Invocation
from apitrail.cli.verify_places import S3, Place, no_archive
from apitrail.objects.s3 import S3Config
from apitrail.trail.verify_archive import TOP, Archive, find_top
from apitrail.trail.verify_s3 import S3Archive


def open_bucket(invocation: Invocation, text: str) -> Place:
    """Return the archive below `s3://bucket/prefix`. Raises: CliError, SinkError."""
    bucket, _, prefix = text.removeprefix(S3).partition("/")
    if not bucket:
        raise usage_error(f"not a bucket: {text!r}", hint="use a form like s3://bucket/prefix")
    prefix = prefix.rstrip("/")
    start = "" if prefix in ("", TOP[:-1]) else prefix.removesuffix(f"/{TOP[:-1]}") + "/"
    config, target = _s3_config(invocation, bucket)
    top = find_top(S3Archive(config), start)
    if top is None:
        raise no_archive(text)
    make = partial(S3Archive, config, top)
    return Place(make(), make, f"{S3}{bucket}/{top}", target=target)


def opener(invocation: Invocation, bucket: str, prefix: str) -> Callable[[], Archive]:
    """Return what opens the archive below a prefix (empty, or ending in a slash). Raises: CliError."""
    return partial(S3Archive, _s3_config(invocation, bucket)[0], prefix)


def _s3_config(invocation: Invocation, bucket: str) -> tuple[S3Config, Target | None]:
    """Return how a bucket is reached: AWS_ENDPOINT_URL_S3, else the server, else AWS itself."""
    environ = invocation.environ
    endpoint = environ.get("AWS_ENDPOINT_URL_S3", "")
    try:
        target: Target | None = find_target(invocation)
    except CliError:
        if environment_keys(environ) is None:
            raise
        target = None
    keys = target.keys if target else environment_keys(environ)
    assert keys is not None
    endpoint = endpoint or (target.endpoint if target else "")
    region = target.region if target else environ.get("AWS_REGION", "us-east-1")
    config = S3Config(
        bucket=bucket,
        endpoint=endpoint,
        region=region,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        token=keys.token,
        allow_http=endpoint.startswith("http:"),
    )
    return config, target

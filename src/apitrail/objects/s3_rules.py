"""Lifecycle rules of a bucket at an S3-compatible endpoint, and what following them in its place takes.

Through botocore, as obstore has no such calls. Source: Amazon S3 API Reference.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from apitrail.errors import SinkError
from apitrail.objects.s3 import S3Config

Rule = dict[str, Any]
NOT_SERVED = frozenset({"NotImplemented", "MethodNotAllowed", "BucketAlreadyExists", "BucketAlreadyOwnedByYou"})
"""What endpoints without lifecycle rules say: some take the request for one that makes the bucket."""
NOT_SERVED_STATUS = (405, 501)
SERVER_ERROR = 500


class S3Rules:
    """The rules of one bucket. All functions raise SinkError with the endpoint's code."""

    def __init__(self, config: S3Config) -> None:
        self._config = config

    @cached_property
    def _client(self) -> Any:
        config = self._config
        return botocore.session.Session().create_client(
            "s3",
            region_name=config.region,
            endpoint_url=config.endpoint or None,
            aws_access_key_id=config.access_key,
            aws_secret_access_key=config.secret_key,
            aws_session_token=config.token or None,
            config=Config(
                s3={"addressing_style": "path" if config.path_style else "virtual"},
                retries={"total_max_attempts": 1},
                connect_timeout=config.timeout_s,
                read_timeout=config.timeout_s,
            ),
        )

    async def put(self, rules: list[Rule]) -> bool:
        """Let the endpoint follow rules; False when it does not offer that, which also shows by rules that do not come back."""
        try:
            await self._call("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules})
        except SinkError as error:
            if error.code in NOT_SERVED:
                return False
            raise
        kept = await self.get()
        return kept is not None and {rule.get("ID") for rule in kept} == {rule["ID"] for rule in rules}

    async def get(self) -> list[Rule] | None:
        """Return the rules that the endpoint follows, None where there are none."""
        try:
            answer = await self._call("get_bucket_lifecycle_configuration")
        except SinkError as error:
            if error.code in NOT_SERVED or error.code == "NoSuchLifecycleConfiguration":
                return None
            raise
        rules: list[Rule] = answer.get("Rules") or []
        return rules or None

    async def remove(self) -> None:
        """Let the endpoint follow no rules."""
        try:
            await self._call("delete_bucket_lifecycle")
        except SinkError as error:
            if error.code not in NOT_SERVED:
                raise

    async def tags(self, key: str) -> dict[str, str]:
        """Return the tags of an object."""
        answer = await self._call("get_object_tagging", Key=key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    async def abort_uploads(self, is_due: Callable[[str, datetime], bool]) -> None:
        """Give up unfinished uploads; is_due is asked with key and time of each."""
        marks: dict[str, str] = {}
        while True:
            page = await self._call("list_multipart_uploads", **marks)
            for upload in page.get("Uploads", ()):
                if is_due(upload["Key"], upload["Initiated"]):
                    await self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])
            if not page.get("IsTruncated"):
                return
            marks = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def _call(self, name: str, **params: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self._blocking, name, params)

    def _blocking(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, name)(Bucket=self._config.bucket, **params)
        except ClientError as error:
            raise _refusal(name, error) from error
        except BotoCoreError as error:
            raise SinkError(f"{name}: no answer: {error}", code="ServiceUnavailable", temporary=True) from error
        return answer


def _refusal(name: str, error: ClientError) -> SinkError:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = "NotImplemented" if status in NOT_SERVED_STATUS else str(error.response["Error"].get("Code", ""))
    said = str(error.response["Error"].get("Message", ""))[:300]
    return SinkError(f"{name}: {code} {said}".rstrip(), code=code, temporary=status >= SERVER_ERROR)

"""S3-compatible buckets through fsspec. Endpoint and keys are the operator's, in the usual ``AWS_*`` variables."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from vigil.base.errors import InputError, UnavailableError
from vigil.base.limits import MEDIA_BYTES
from vigil.editions.fetch import store_errors
from vigil.scan.limits import S3_PAGE
from vigil.scan.model import Item, Unreadable

ENDPOINT: Final = "AWS_ENDPOINT_URL"


@lru_cache(maxsize=4)
def _store(scheme: str, process: int) -> Any:
    """The file system of a scheme, one for each process; listings are not cached, so that memory stays flat."""
    try:
        fsspec = importlib.import_module("fsspec")  # an extra that enforcement nodes do without
    except ModuleNotFoundError as error:
        raise UnavailableError("fsspec_missing", "Buckets need fsspec and s3fs.", mend="pip install 'vigil[scan]'") from error
    if scheme != "s3":
        return fsspec.filesystem(scheme)
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        raise InputError("bucket_endpoint", "The endpoint of the bucket is not named.", mend=f"Set {ENDPOINT}.")
    return fsspec.filesystem("s3", endpoint_url=endpoint, use_listings_cache=False, skip_instance_cache=True)


def items_in(source: str) -> Iterator[Item]:
    """The objects below ``scheme://bucket/prefix``, page by page, in the order of their keys."""
    parts = urlsplit(source)
    store = _store(parts.scheme, os.getpid())
    if parts.scheme == "s3":
        yield from _s3(store, parts.netloc, parts.path.lstrip("/"))
        return
    for path, info in sorted(store.find(source, detail=True).items()):
        yield Item(path, (path,), int(info.get("size") or 0))


def _s3(store: Any, bucket: str, prefix: str) -> Iterator[Item]:
    more: dict[str, str] = {}
    while True:
        try:
            page = store.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=S3_PAGE.value, **more)
        except _broken() as error:
            raise UnavailableError("bucket_unreadable", "The bucket cannot be listed.", mend="Check name and keys.") from error
        for each in page.get("Contents", ()):
            yield Item(each["Key"], (f"{bucket}/{each['Key']}",), int(each["Size"]))
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _broken() -> tuple[type[Exception], ...]:
    """What a store raises that does not answer as it should: its library's own errors are no OSError."""
    return (OSError, *store_errors())


class BucketReader:
    """Objects by their key."""

    def __init__(self, place: str) -> None:
        self._scheme = urlsplit(place).scheme

    def read(self, item: Item) -> bytes:
        if item.size > MEDIA_BYTES.value:
            raise Unreadable("too_large")
        most = MEDIA_BYTES.value + 1 if item.size else None  # a part of nothing cannot be asked for
        try:
            data: bytes = _store(self._scheme, os.getpid()).cat_file(str(item.where[0]), end=most)
        except _broken() as error:
            raise Unreadable("unreadable") from error
        if len(data) > MEDIA_BYTES.value:
            raise Unreadable("too_large")
        return data

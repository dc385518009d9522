"""What files a public bucket has, as S3 lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, urlencode
from xml.etree import ElementTree

from voxscale.data._http import Patience, read_page
from voxscale.data._remote import Remote, as_count, join_url
from voxscale.data._stop import Stop
from voxscale.errors import DataError

__all__ = ["list_bucket"]

_MOST_PAGES = 10_000  # of a thousand files each
_SINGLE = re.compile(r'"?([0-9a-f]{32})"?')
_PARTS = re.compile(r'"?([0-9a-f]{32}-[1-9][0-9]{0,4})"?')
# A listing has no use for these; entities that name each other fill any memory.
_DECLARATION = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def list_bucket(
    base_url: str,
    below: str,
    prefix: str,
    *,
    patience: Patience | None = None,
    stop: Stop | None = None,
) -> Iterator[Remote]:
    """List the files of a bucket whose path below a folder begins with ``prefix``.

    The hash of a file that came in one part is its md5; of others it is one of hashes of parts,
    whose size is not told.

    Parameters
    ----------
    base_url : str
        Of the bucket.
    below : str
        The folder, such as an accession number; it is no part of the paths.
    prefix : str
        The beginning of the paths.

    Yields
    ------
    Remote

    Raises
    ------
    DataError
        If the listing cannot be had, or is none.
    """
    patience, stop = patience or Patience(), stop or Stop()
    token, seen = "", {""}
    for _ in range(_MOST_PAGES):
        asked = {"list-type": "2", "prefix": f"{below}/{prefix}", "encoding-type": "url"}
        if token:
            asked["continuation-token"] = token
        url = f"{base_url.rstrip('/')}?{urlencode(asked, quote_via=quote)}"
        page = _parsed(read_page(url, patience, stop), url)
        is_quoted = page.findtext("{*}EncodingType") == "url"
        for one in page.iterfind("{*}Contents"):
            remote = _remote(one, base_url, below, url, is_quoted=is_quoted)
            if remote is not None:
                yield remote
        if page.findtext("{*}IsTruncated") != "true":
            return
        token = page.findtext("{*}NextContinuationToken") or ""
        if token in seen:
            break
        seen.add(token)
    msg = f"{base_url}: the listing of {below}/{prefix} has no end; expected pages that go on."
    raise DataError(msg)


def _parsed(page: bytes, url: str) -> ElementTree.Element:
    try:
        text = page.decode("utf-8")
        if _DECLARATION.search(text):
            msg = f"{url}: the listing declares entities; expected plain XML; it was not read."
            raise DataError(msg)
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError) as error:
        msg = f"{url}: this is no listing of S3 ({error}); expected XML; check the address."
        raise DataError(msg) from error
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        msg = f"{url}: this is XML of the kind {root.tag[:80]!r}; expected ListBucketResult."
        raise DataError(msg)
    return root


def _remote(
    one: ElementTree.Element, base_url: str, below: str, url: str, *, is_quoted: bool
) -> Remote | None:
    key, size = one.findtext("{*}Key") or "", one.findtext("{*}Size") or ""
    key = unquote(key) if is_quoted else key
    n_bytes = as_count(size)
    if not key.startswith(f"{below}/") or n_bytes is None:
        msg = f"{url}: the listing has the file {key[:200]!r} of {size[:20]!r} bytes; expected"
        msg += f" files of {below}/ and their sizes."
        raise DataError(msg)
    if key.endswith("/"):  # stands for a folder
        return None
    tag = one.findtext("{*}ETag") or ""
    single, parts = _SINGLE.fullmatch(tag), _PARTS.fullmatch(tag)
    known = f"md5:{single[1]}" if single else f"etag:{parts[1]}" if parts else ""
    return Remote(key.removeprefix(f"{below}/"), join_url(base_url, key), n_bytes, known)

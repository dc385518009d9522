"""Ask a server, tell what passes from what does not, and try again with growing waits."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from typing import Any, TypeVar
from urllib import error as url_error
from urllib import request as url_request
from urllib.parse import urlsplit

from voxscale._version import __version__
from voxscale.data._remote import as_count
from voxscale.data._stop import Stop, Stopped
from voxscale.errors import DataError

__all__ = ["OutOfRange", "Passing", "Patience", "patiently", "read_page", "request"]

_Made = TypeVar("_Made")

# What a server says when it may say otherwise later.
_PASSING_CODES = frozenset({408, 425, 429, 500, 502, 503, 504})
_OUT_OF_RANGE = 416
# How a message goes on that gives up, on a file and on a list of files.
_NO_FILE = (
    "{what}: {trouble}, also after {n} tries; expected the whole file; run the same command again "
    "later: what has arrived is kept."
)
_NO_LIST = (
    "the list of files at {what} cannot be had: {trouble}, also after {n} tries; expected an "
    "answer; check the network, or clone the data set and use --with datalad, or give a list of "
    "your own with --registry."
)
_LARGEST_PAGE = 1 << 24  # bytes; S3 lists a thousand files in less than one MiB


class Passing(Exception):
    """Something went wrong that another try may mend; ``wait_s`` is what the server asked for."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class OutOfRange(Exception):
    """The server has no such bytes; ``n_bytes`` is how many it has, if it says so."""

    def __init__(self, n_bytes: int | None) -> None:
        super().__init__(n_bytes)
        self.n_bytes = n_bytes


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server, and how often to ask it again.

    Parameters
    ----------
    timeout_s : float
        Seconds without a single byte after which a connection has stalled.
    n_tries : int
        Tries in a row that bring next to nothing, before a file is given up.
    wait_s : float
        Seconds before the second try; twice as many before each further one.
    longest_wait_s : float
        What waits grow to, also where the server asks for more.
    say : callable, optional
        Given a line before each wait: what went wrong, and when it is tried again. May be called
        from several threads.
    """

    timeout_s: float = 30.0
    n_tries: int = 6
    wait_s: float = 1.0
    longest_wait_s: float = 60.0
    say: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if not (self.timeout_s > 0 and self.wait_s >= 0 and self.longest_wait_s >= 0):
            msg = f"{self} has times that cannot be waited; expected seconds, timeout_s above 0."
            raise ValueError(msg)
        if self.n_tries < 1:
            msg = f"n_tries is {self.n_tries}; expected 1 or more."
            raise ValueError(msg)


def patiently(
    attempt: Callable[[], _Made],
    what: str,
    patience: Patience,
    stop: Stop,
    went_on: Callable[[], bool] = lambda: False,
    *,
    given_up: str = _NO_FILE,
) -> _Made:
    """Try until it is done, or has failed so often in a row that it is given up.

    Parameters
    ----------
    attempt : callable
        Raises `Passing` if another try may help.
    what : str
        Begins the message.
    patience : Patience
    stop : Stop
        Ends a wait at once.
    went_on : callable
        Tells whether a try that failed brought much nevertheless: then counting begins anew.
    given_up : str
        The message where it is given up, with ``{what}``, ``{trouble}`` and ``{n}`` tries.

    Raises
    ------
    DataError
        If it is given up.
    Stopped
        If ``stop`` is set.
    """
    n_failed = 0
    while True:
        try:
            return attempt()
        except Passing as trouble:
            n_failed = 1 if went_on() else n_failed + 1
            if n_failed >= patience.n_tries:
                msg = given_up.format(what=what, trouble=trouble, n=n_failed)
                raise DataError(msg) from trouble
            wait_s = max(patience.wait_s * 2 ** (n_failed - 1), trouble.wait_s)
            wait_s = min(wait_s, patience.longest_wait_s)
            if patience.say is not None:
                patience.say(
                    f"{what.partition('?')[0]}: {trouble}; trying again in {wait_s:g} s "
                    f"({n_failed + 1} of {patience.n_tries})"
                )
        if stop.wait(wait_s):
            raise Stopped


def request(url: str, headers: dict[str, str], timeout_s: float) -> Any:
    """Ask for an address over http or https, wherever it is redirected to over these.

    Raises
    ------
    Passing
        If the server is not reached, is busy, or breaks off.
    OutOfRange
        If it has no such bytes.
    DataError
        If it has no such file, or redirects to what is neither http nor https.
    """
    told = {"User-Agent": f"voxscale/{__version__}", "Accept-Encoding": "identity", **headers}
    try:
        return _opener().open(url_request.Request(url, headers=told), timeout=timeout_s)
    except url_error.HTTPError as error:
        with error:
            raise _refusal(url, error) from error
    except url_error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            msg = f"{url}: its certificate is not to be trusted ({error.reason}); nothing is read."
            raise DataError(msg) from error
        if not isinstance(error.reason, OSError):
            msg = f"{url} cannot be asked for ({error.reason}); expected http or https."
            raise DataError(msg) from error
        raise Passing(_said(error.reason, "no answer")) from error
    except (OSError, HTTPException) as error:
        raise Passing(_said(error)) from error


def read_page(url: str, patience: Patience, stop: Stop) -> bytes:
    """Read a page of a list of files whole.

    Raises
    ------
    DataError
        If it cannot be had, or has more than 16 MiB.
    Stopped
        If ``stop`` is set meanwhile.
    """

    def attempt() -> bytes:
        with request(url, {}, patience.timeout_s) as response:
            try:
                page: bytes = response.read(_LARGEST_PAGE + 1)
            except (OSError, HTTPException) as error:
                raise Passing(_said(error)) from error
            wanted = as_count(response.headers.get("Content-Length"))
            if wanted is not None and len(page) < min(wanted, _LARGEST_PAGE + 1):
                msg = f"the answer ends after {len(page)} of {wanted} bytes"
                raise Passing(msg)
        return page

    page = patiently(attempt, url, patience, stop, given_up=_NO_LIST)
    if len(page) > _LARGEST_PAGE:
        msg = f"{url}: the answer is over {_LARGEST_PAGE} bytes; expected a page of a listing."
        raise DataError(msg)
    return page


class _Redirects(url_request.HTTPRedirectHandler):
    """Follows redirections, never to another kind of address, nor from https to http."""

    def redirect_request(self, req: Any, *answer: Any) -> Any:
        address = answer[-1]
        before, after = urlsplit(req.full_url).scheme, urlsplit(address).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            raise DataError(_redirected(req.full_url, address))
        return super().redirect_request(req, *answer)


@lru_cache(maxsize=1)
def _opener() -> url_request.OpenerDirector:
    """Make what opens addresses; it knows no files, no ftp and no data, as urllib's own does."""
    opener = url_request.OpenerDirector()
    for handler in (
        url_request.ProxyHandler(),
        url_request.UnknownHandler(),
        url_request.HTTPHandler(),
        url_request.HTTPSHandler(),
        url_request.HTTPDefaultErrorHandler(),
        url_request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _refusal(url: str, error: url_error.HTTPError) -> Exception:
    if error.code == _OUT_OF_RANGE:
        whole = error.headers.get("Content-Range", "")
        return OutOfRange(as_count(whole.removeprefix("bytes */")))
    if error.code in _PASSING_CODES:
        wait_s = as_count(error.headers.get("Retry-After")) or 0
        return Passing(f"the server says {error.code} {error.reason}", wait_s)
    if error.code // 100 == 3:
        return DataError(_redirected(url, error.headers.get("Location", "nowhere")))
    return DataError(
        f"{url}: the server says {error.code} {str(error.reason)[:100]}; expected a file that all "
        "may read; check the name, or whether the data set has moved."
    )


def _redirected(url: str, address: str) -> str:
    return (
        f"{url} is redirected to {address[:200]}; expected an address of the same kind, or a safer "
        "one; nothing was read from there."
    )


def _said(error: BaseException, what: str = "the connection broke") -> str:
    if isinstance(error, TimeoutError):
        return "the server is silent"
    return f"{what} ({str(error)[:200] or type(error).__name__})"

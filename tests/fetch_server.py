"""A server of files on 127.0.0.1 that answers as it should, or as badly as a test plans."""

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class Answer:
    """How one request is answered; what is None is as it should be."""

    status: int | None = None
    headers: dict = field(default_factory=dict)  # a value of None leaves the header out
    cut: int | None = None  # close after so many bytes of the body
    stall: int | None = None  # fall silent after so many
    corrupt: int | None = None  # change the byte at this place of the file
    more: bytes = b""  # after the body
    ignores_range: bool = False
    body: bytes | None = None


class Server:
    """Serves ``files``; ``answers[path]`` are used up, one a request, before all goes well."""

    Answer = Answer

    def __init__(self, page_length=1000):
        self.files, self.answers, self.tags = {}, {}, {}
        self.page_length, self.patience_s = page_length, 20
        self.asked = []  # path, Range, If-Range
        self.over = threading.Event()
        self.n_now = self.most_at_once = 0
        self._lock = threading.Lock()

    def __enter__(self):
        handler = type("Handler", (_Handler,), {"served": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def put(self, path, content):
        """Serve a file; return its address."""
        self.files[path] = content
        return f"{self.url}/{quote(path)}"

    def tag_of(self, path):
        return self.tags.get(path, '"' + hashlib.md5(self.files[path]).hexdigest() + '"')

    def ranges(self, path):
        """Return the ranges that were asked for, of one file."""
        return [asked for one, asked, _ in self.asked if one == path]


class _Handler(BaseHTTPRequestHandler):
    served: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        served, parts = self.served, urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        with served._lock:
            served.asked.append((path, self.headers.get("Range"), self.headers.get("If-Range")))
            waiting = served.answers.get(path) or [Answer()]
            answer = waiting.pop(0)
            served.n_now += 1
            served.most_at_once = max(served.most_at_once, served.n_now)
        try:
            if "list-type" in parts.query and answer.body is None:
                answer.body = self._listing(path, parse_qs(parts.query))
            self._answer(path, answer)
        except ConnectionError:
            pass
        finally:
            with served._lock:
                served.n_now -= 1

    def _answer(self, path, answer):
        served = self.served
        if answer.body is None and path not in served.files:
            answer.status, answer.body = answer.status or 404, b"no such file"
        body = served.files[path] if answer.body is None else answer.body
        if answer.corrupt is not None:
            body = bytearray(body)
            body[answer.corrupt] ^= 1
        status, headers = 200, {}
        if answer.body is None:
            headers["ETag"] = tag = served.tag_of(path)
            asked, same = self.headers.get("Range"), self.headers.get("If-Range", tag)
            if asked and same == tag and not answer.ignores_range:
                first = int(asked.removeprefix("bytes=").rstrip("-"))
                if first >= len(body):
                    status, headers["Content-Range"] = 416, f"bytes */{len(body)}"
                    body = b""
                else:
                    status = 206
                    headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
                    body = body[first:]
        headers["Content-Length"] = str(len(body))
        self.send_response(answer.status or status)
        for name, value in {**headers, **answer.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self._send(bytes(body) + answer.more, answer)

    def _send(self, body, answer):
        if answer.stall is not None:
            self.wfile.write(body[: answer.stall])
            self.wfile.flush()
            self.served.over.wait(self.served.patience_s)
        else:
            self.wfile.write(body if answer.cut is None else body[: answer.cut])

    def _listing(self, bucket, query):
        """List as S3 does, version 2."""
        served = self.served
        prefix = f"{bucket}/{query['prefix'][0]}"
        names = sorted(name for name in served.files if name.startswith(prefix))
        start = int(query.get("continuation-token", ["0"])[0])
        page = names[start : start + served.page_length]
        rows = "".join(
            f"<Contents><Key>{escape(quote(name.removeprefix(bucket + '/')))}</Key>"
            f"<ETag>{escape(served.tag_of(name))}</ETag>"
            f"<Size>{len(served.files[name])}</Size></Contents>"
            for name in page
        )
        is_cut = start + len(page) < len(names)
        token = start + len(page)
        rest = f"<NextContinuationToken>{token}</NextContinuationToken>" if is_cut else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(is_cut).lower()}</IsTruncated>"
            f"{rows}{rest}</ListBucketResult>"
        )
        return text.encode()

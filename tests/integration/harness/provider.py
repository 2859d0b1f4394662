"""A provider that does what a test tells it, call by call, and remembers every placement.

    provider.script("+254700000001", reset(), accept())     first placement cut off, later ones accepted
    placement = provider.wait_placement("+254700000001")
    provider.report(placement, "completed", CallDuration=7)  a signed callback through the gateway

It speaks the languages of every provider at once; the path of a placement tells which one is meant. A language is a
module (twilio.py, africastalking.py, vonage.py): what it accepts and refuses with, and its callbacks.

A reply is a function (exchange) -> None, where the exchange is one placement on its connection. The C simulator is
for volume; this one is for behaviour.
"""

import json
import os
import socket
import struct
import threading
import time
from collections import defaultdict
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import requests

from . import africastalking, twilio, vonage
from .wait import wait_until


LANGUAGES = {language.NAME: language for language in (twilio, africastalking, vonage)}


class Placement:
    """One POST that asked for a call, whatever became of it."""

    def __init__(self, body, path, headers, peer, nth_on_connection):
        self.body = body  # as it came: not every provider takes forms
        self.path, self.headers, self.peer = path, headers, peer
        self.nth_on_connection = nth_on_connection
        self.at = time.monotonic()
        self.language = next((known for known in LANGUAGES.values() if known.places(urlsplit(path).path)), twilio)
        self.sid = self.language.new_id()

    @cached_property
    def form(self):
        return parse_qs(self.body.decode(), keep_blank_values=True)

    @cached_property
    def json(self):
        return json.loads(self.body)

    def field(self, name):
        """A form field that must be there exactly once."""
        values = self.form.get(name, [])
        assert len(values) == 1, f"{name} stands {len(values)} times in the placement: {self.form}"
        return values[0]

    @property
    def to(self):
        return self.language.to(self)

    @property
    def sender(self):
        return self.language.sender(self)

    @property
    def status_callback(self):
        return self.field("StatusCallback")

    def __repr__(self):
        return f"placement {self.sid} {self.body!r}"


class Exchange:
    """What a reply can do with one request."""

    def __init__(self, handler, placement, provider):
        self.handler, self.placement, self.provider = handler, placement, provider

    def send(self, status, body, content_type="application/json", headers=()):
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", content_type)
        self.handler.send_header("Content-Length", str(len(payload)))
        for name, value in dict(headers).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(payload)

    def hang_up(self, with_reset):
        """Ends the connection without a byte of reply; with_reset sends RST instead of FIN."""
        sock = self.handler.connection
        if with_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.handler.close_connection = True
        # Closed here and now: socketserver would send a FIN first, and the client would never see the reset.
        os.close(sock.detach())


# --- replies ---------------------------------------------------------------------------------------------------


def accept(**fields):
    """The provider has the call, in its language, with these changes to what it says of it."""
    return lambda exchange: exchange.send(*exchange.placement.language.accepted(exchange.placement, **fields))


def refuse_number():
    """A valid refusal for good."""
    return lambda exchange: exchange.send(*exchange.placement.language.refused(exchange.placement))


def limit():
    """429: one request too many, and not acted upon."""
    return lambda exchange: exchange.send(*exchange.placement.language.limited(exchange.placement))


def refuse(status, code, message="refused by the test", headers=()):
    return lambda exchange: exchange.send(status, twilio.error_object(status, code, message), headers=headers)


def answer(status, body, content_type="application/json", headers=()):
    """Anything at all: garbage, HTML, half a document."""
    return lambda exchange: exchange.send(status, body, content_type, headers)


def reset():
    return lambda exchange: exchange.hang_up(with_reset=True)


def close():
    return lambda exchange: exchange.hang_up(with_reset=False)


def hold(gate, then):
    """Answers with `then` once the threading.Event is set (at the latest after a minute)."""

    def reply(exchange):
        gate.wait(60)
        then(exchange)

    return reply


def after(action, then):
    """Calls action(placement) before answering: callbacks that overtake the response, for example."""

    def reply(exchange):
        action(exchange.placement)
        then(exchange)

    return reply


# --- the server ------------------------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """Clients that go away in mid-reply are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.requests_seen = 0

    def log_message(self, format, *args):
        """Placements are remembered, not printed."""

    def do_POST(self):
        self.requests_seen += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/Calls/" in self.path:
            self.hang_up(body)
            return
        placement = Placement(body, self.path, dict(self.headers), self.client_address, self.requests_seen)
        reply = self.server.provider.take(placement)
        reply(Exchange(self, placement, self.server.provider))

    def do_PUT(self):
        self.requests_seen += 1
        self.hang_up(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def hang_up(self, body):
        status, answered = self.server.provider.hang_up(self.path, self.headers, body)
        Exchange(self, None, self.server.provider).send(status, answered)

    def do_GET(self):
        self.requests_seen += 1
        status, body = self.server.provider.look_up(self.path, self.headers)
        Exchange(self, None, self.server.provider).send(status, body)


class Provider:
    def __init__(self, port=0):
        self._lock = threading.Lock()
        self._placements = []
        self._scripts = defaultdict(list)
        self._states = {}
        self._gateway = None
        self._registered = {}
        self.lookups = []
        self.hangups = []  # (the provider's id, what was said)
        self.hangup_answers = []  # status codes to answer the next ones with; then they are done
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.provider = self
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="provider", daemon=True).start()

    def script(self, to, *replies):
        """What the placements to this number are answered with, in turn; the last one stays."""
        with self._lock:
            self._scripts[to] = list(replies)

    def take(self, placement):
        with self._lock:
            self._placements.append(placement)
            denied = placement.language.denied(placement.headers)
            if denied:
                return lambda exchange: exchange.send(*denied)
            replies = self._scripts[placement.to]
            return (replies.pop(0) if len(replies) > 1 else replies[0]) if replies else accept()

    def placements(self, to=None):
        with self._lock:
            return [placement for placement in self._placements if to is None or placement.to == to]

    def dials(self, to):
        return len(self.placements(to))

    def wait_placement(self, to, count=1, timeout=15.0, meanwhile=lambda: None):
        """The count-th placement to this number, once it has come; meanwhile() may end the wait by raising."""

        def come():
            meanwhile()
            return self.placements(to)[count - 1 : count]

        return wait_until(come, f"placement {count} to {to}", timeout, 0.01)[0]

    # Look-ups: what GET tells of a call. A placement is known as "queued" unless a test says more; one whose
    # reply was lost is not in the list until a test puts it there, because nobody knows whether it was placed.

    def set_state(self, placement, status, **fields):
        with self._lock:
            self._states[placement.sid] = placement.language.shown(placement, status, **fields)

    def wait_lookup(self, matches, timeout=20.0):
        """Until somebody asked for a path that matches."""
        wait_until(lambda: any(matches(path) for path in list(self.lookups)), "a look-up", timeout)

    def look_up(self, path, headers):
        parts = urlsplit(path)
        language = vonage if parts.path.startswith("/v1/calls/") else twilio
        with self._lock:
            self.lookups.append(path)
            if parts.path.endswith("/Calls.json"):
                to = dict(parse_qsl(parts.query)).get("To")
                calls = [state for state in self._states.values() if to in (None, state["to"])]
                return 200, {"calls": calls, "page": 0, "page_size": 50, "next_page_uri": None}
            sid = parts.path.rsplit("/", 1)[-1].removesuffix(".json")
            if sid in self._states:
                return language.denied(headers) or (200, self._states[sid])
            placed = next((placement for placement in self._placements if placement.sid == sid), None)
        if placed is None:
            return language.not_found()
        return language.denied(headers) or (200, language.shown(placed))

    # Hanging up: the test reports what the call came to, if it wants to.

    def hang_up(self, path, headers, body):
        vonages = path.startswith("/v1/calls/")
        denied = (vonage if vonages else twilio).denied(headers)
        sid = urlsplit(path).path.rsplit("/", 1)[-1].removesuffix(".json")
        with self._lock:
            self.hangups.append((sid, body.decode()))
            status = self.hangup_answers.pop(0) if self.hangup_answers else None
        if denied or status:
            return denied or (status, {})
        return (200, {}) if vonages else (200, {"sid": sid, "status": "in-progress"})

    def wait_hangup(self, placement, times=1, timeout=10.0):
        """What was said of this placement, once it was asked so many times."""
        said = lambda: [body for sid, body in list(self.hangups) if sid == placement.sid]
        wait_until(lambda: len(said()) >= times, f"{times} requests to hang up {placement}", timeout)
        return said()

    # Callbacks: signed for the public URL, delivered to where the gateway really listens.

    def behind(self, public_url, actual_url):
        self._gateway = (public_url.rstrip("/"), actual_url.rstrip("/"))

    def delivered_to(self, url):
        public, actual = self._gateway
        assert url.startswith(public + "/"), f"{url} is not below the public URL {public}"
        return actual + url[len(public) :].partition("#")[0]

    def post(self, url, fields, token=twilio.AUTH_TOKEN, **options):
        """A signed request to a public URL of the gateway; returns the response."""
        headers, body = twilio.signed_post(url, fields, token)
        headers.update(options.pop("headers", {}))
        return requests.post(self.delivered_to(url), data=body, headers=headers, timeout=30, **options)

    def register(self, number, url):
        """The URL that stands at the provider for this number, where placements cannot bring their own."""
        self._registered[number] = url

    def callback_url(self, placement):
        return placement.language.callback_url(placement, self._registered)

    def deliver(self, method, url, headers, body):
        return requests.request(method, self.delivered_to(url), headers=headers, data=body, timeout=30)

    def report(self, placement, word, number=0, url=None, **fields):
        """A status callback for a placement, to its URL unless told otherwise; must be taken (2xx)."""
        body = placement.language.callback(placement, word, number, **fields)
        response = self.deliver(*placement.language.delivery(url or self.callback_url(placement), body))
        assert response.status_code // 100 == 2, f"callback {word}: {response.status_code} {response.text}"
        return response

    def close(self):
        self._server.shutdown()
        self._server.server_close()

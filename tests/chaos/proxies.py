"""Toxiproxy: every connection that a fault may cut, delay or reset goes through it."""

import requests

from harness.paths import BUILD
from harness.ports import free_port
from harness.process import Process
from harness.wait import wait_until

_SERVER = BUILD / "toxiproxy" / "server"


class Proxies:
    """A link is a named set of proxies that fail together: "kafka-gateway" is the way to each of the brokers."""

    def __init__(self, directory):
        assert _SERVER.exists(), f"{_SERVER} is missing: run `make deps-test`"
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self._api = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._links = {}
        self.process = Process("toxiproxy", [_SERVER, "-host", "127.0.0.1", "-port", port], directory)
        wait_until(self._answers, lambda: f"toxiproxy to start:\n{self.process.output()}", timeout=20)

    def _answers(self):
        assert self.process.alive(), f"toxiproxy did not start:\n{self.process.output()}{self.process.tail()}"
        try:
            return self._session.get(self._api + "/version", timeout=2).ok
        except requests.ConnectionError:
            return False

    def _ask(self, method, path, body=None):
        response = self._session.request(method, self._api + path, json=body, timeout=10)
        assert response.ok, f"toxiproxy refused {method} {path} {body}: {response.status_code} {response.text}"

    def add(self, link, upstream_port, port=None):
        """One more proxy of this link; answers with the port to connect to."""
        port = port or free_port()
        names = self._links.setdefault(link, [])
        name = f"{link}.{len(names) + 1}"
        body = {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream_port}", "enabled": True}
        self._ask("POST", "/proxies", body)
        names.append(name)
        return port

    def links(self):
        return list(self._links)

    def cut(self, link):
        """Open connections break, new ones are refused."""
        for name in self._links[link]:
            self._ask("POST", f"/proxies/{name}", {"enabled": False})

    def restore(self, link):
        for name in self._links[link]:
            self._ask("POST", f"/proxies/{name}", {"enabled": True})

    def poison(self, link, toxic, **attributes):
        """A toxic on both directions."""
        for name in self._links[link]:
            for stream in ("upstream", "downstream"):
                body = {"name": f"{toxic}-{stream}", "type": toxic, "stream": stream, "attributes": attributes}
                self._ask("POST", f"/proxies/{name}/toxics", body)

    def cure(self, link, toxic):
        for name in self._links[link]:
            for stream in ("upstream", "downstream"):
                self._ask("DELETE", f"/proxies/{name}/toxics/{toxic}-{stream}")

    def heal(self):
        """Everything as at the start."""
        self._ask("POST", "/reset")

    def stop(self):
        self._session.close()
        self.process.kill9()

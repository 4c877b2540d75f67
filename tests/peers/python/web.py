"""What the Python peers share: a small web server for tests, with sessions in memory and answers in JSON."""

import json
import os
import secrets
import traceback
from http.cookies import SimpleCookie
from socketserver import ThreadingMixIn
from urllib.parse import parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

PEER_DIR = os.environ["PEER_DIR"]
PORT = int(os.environ["PEER_PORT"])
ORIGIN = f"http://127.0.0.1:{PORT}"
COOKIE = f"saml_session_{PORT}"  # cookies don't tell ports apart
LARGEST_BODY = 1_000_000


def peer_file(name):
    with open(os.path.join(PEER_DIR, name), encoding="utf-8") as file:
        return file.read()


def pem_body(name):
    """A certificate without its first and last line, as metadata has it."""
    return "".join(line for line in peer_file(name).splitlines() if not line.startswith("-"))


class Request:
    def __init__(self, environ):
        self.method = environ["REQUEST_METHOD"]
        self.path = environ["PATH_INFO"]
        self.query_string = environ.get("QUERY_STRING", "")
        self.query = dict(parse_qsl(self.query_string, keep_blank_values=True))
        length = min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST_BODY)
        self.body = environ["wsgi.input"].read(length).decode("utf-8") if length else ""
        self.form = dict(parse_qsl(self.body, keep_blank_values=True))
        cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        self.cookie = cookies[COOKIE].value if COOKIE in cookies else None


class Answer:
    def __init__(self, status, body="", content_type="text/html; charset=utf-8", headers=()):
        self.status, self.body, self.content_type, self.headers = status, body, content_type, list(headers)

    def starting_session(self, key):
        self.headers.append(("Set-Cookie", f"{COOKIE}={key}; Path=/; HttpOnly"))
        return self


def as_json(value, status=200):
    return Answer(status, json.dumps(value, indent=2) + "\n", "application/json; charset=utf-8")


def redirect(target):
    return Answer(303, headers=[("Location", target)])


def new_key():
    return secrets.token_urlsafe(18)


def serve(routes):
    """Serves until the process is ended. `routes`: "METHOD /path" -> function of the request."""

    def application(environ, start_response):
        request = Request(environ)
        route = routes.get(f"{request.method} {request.path}")
        try:
            answer = route(request) if route else as_json({"error": "not_found"}, 404)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the test sees it
            traceback.print_exc()
            answer = as_json({"error": type(error).__name__, "error_description": str(error)}, 502)
        body = answer.body.encode("utf-8")
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(f"{answer.status} -", headers + answer.headers)
        return [body]

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    make_server("127.0.0.1", PORT, application, Server, WSGIRequestHandler).serve_forever()

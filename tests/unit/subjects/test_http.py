"""Real servers on the loopback interface, well behaved and not."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from redan.core.errors import Contained, SubjectFailed, UsageError
from redan.core.settings import Endpoint
from redan.subjects.http import HttpSubject
from redan.subjects.options import Options
from redan.subjects.wire.bodies import spoken_at

WEIGHT = np.random.default_rng(0).normal(size=(4, 3))
X = np.random.default_rng(1).normal(size=(7, 4))


class Server(ThreadingHTTPServer):
    """Answers what `reply(body, number of the request)` says: (status, headers, bytes)."""

    daemon_threads = True

    def __init__(self, reply):
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.seen, self.connections, self.release = [], 0, threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/predict"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        status, headers, answer = self.server.reply(body, len(self.server.seen))
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(answer)
        except BrokenPipeError:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    started = []

    def start(reply) -> Server:
        server = Server(reply)
        started.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    yield start
    for server in started:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def opened():
    subjects = []

    def make(server, *, endpoint=None, **options) -> HttpSubject:
        template, sample = options.pop("template", ""), options.pop("sample", None)
        subject = HttpSubject(
            server.url, endpoint=endpoint, options=Options(**options), template=template, sample=sample
        )
        subjects.append(subject)
        return subject

    yield make
    for subject in subjects:
        subject.close()


def ok(document) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(document).encode()


def scores_of(x) -> list[list[float]]:
    return (np.array(x) @ WEIGHT).tolist()


def instances(body, _):
    return ok({"predictions": scores_of(body["instances"])})


def test_instances(serve, opened):
    server = serve(instances)
    subject = opened(server, sample=X[:2])
    assert subject.capabilities == {"labels", "scores"}
    assert subject.score_kind == "logits"
    np.testing.assert_allclose(subject.scores(X), X @ WEIGHT)
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))
    assert subject.ref.kind == "http"
    assert subject.ref.binding.kind == "endpoint"
    assert subject.ref.binding.uri == server.url


def test_open_inference(serve, opened):
    def reply(body, _):
        tensor = body["inputs"][0]
        assert tensor["datatype"] == "FP64"
        x = np.array(tensor["data"]).reshape(tensor["shape"])
        answer = x @ WEIGHT
        return ok({"outputs": [{"name": "o", "shape": list(answer.shape), "data": answer.ravel().tolist()}]})

    subject = opened(serve(reply), endpoint=Endpoint(format="inputs"), answers="scores")
    np.testing.assert_allclose(subject.scores(X), X @ WEIGHT)


def test_scores_are_taken_where_labels_come_first(serve, opened):
    def reply(body, _):
        answer = np.array(body["inputs"][0]["data"]).reshape(-1, len(WEIGHT)) @ WEIGHT
        labels = {"name": "labels", "shape": [len(answer)], "data": answer.argmax(axis=1).tolist()}
        scores = {"name": "scores", "shape": list(answer.shape), "data": answer.ravel().tolist()}
        return ok({"outputs": [labels, scores]})

    subject = opened(serve(reply), endpoint=Endpoint(format="inputs"), sample=X)
    np.testing.assert_allclose(subject.scores(X), X @ WEIGHT)


@pytest.mark.parametrize(
    ("path", "spoken"),
    [
        ("/v1/models/fraud/predict", "native"),
        ("/v1/models/fraud/versions/2/predict", "native"),
        ("/v2/models/fraud/infer", "inputs"),
        ("/v2/models/fraud/versions/2/infer", "inputs"),
        ("/v1/models/fraud:predict", "instances"),
        ("/predict", "instances"),
    ],
)
def test_the_address_tells_what_it_speaks(path, spoken):
    assert spoken_at(path) == spoken


@pytest.mark.parametrize("key", ["scores", "labels", "predictions", None])
def test_native(serve, opened, key):
    def reply(body, _):
        answer = (np.array(body["x"]) @ WEIGHT).argmax(axis=1).tolist()
        answer = scores_of(body["x"]) if key in {"scores", None} else answer
        return ok({key: answer} if key else answer)

    subject = opened(serve(reply), endpoint=Endpoint(format="native"), sample=X)
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))
    assert ("scores" in subject.capabilities) == (key in {"scores", None})


def test_a_template_and_a_path(serve, opened):
    def reply(body, _):
        assert body["model"] == {"name": "m"}
        return ok(
            {
                "result": [
                    {"class": name}
                    for name in np.array(["a", "b", "c"])[(np.array(body["data"]["rows"]) @ WEIGHT).argmax(1)]
                ]
            }
        )

    subject = opened(
        serve(reply),
        endpoint=Endpoint(answer="result.class"),
        template='{"model": {"name": "m"}, "data": {"rows": "$x"}}',
        classes=("a", "b", "c"),
    )
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))


def test_named_labels_without_a_sample(serve, opened):
    subject = opened(serve(lambda body, _: ok({"predictions": ["no"] * len(body["instances"])})), classes=("yes", "no"))
    assert subject.capabilities == {"labels"}
    np.testing.assert_array_equal(subject.labels(X), np.ones(7))


def test_batches_one_connection_and_counts(serve, opened):
    server = serve(instances)
    subject = opened(server, endpoint=Endpoint(batch=3))
    subject.labels(X)
    assert [len(body["instances"]) for _, _, body in server.seen] == [3, 3, 1]
    assert server.connections == 1
    assert subject.n_queries == 7


def test_the_token_comes_from_the_environment(serve, opened, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "abc")
    server = serve(instances)
    opened(server, endpoint=Endpoint(token_env="MY_TOKEN")).labels(X)
    assert server.seen[0][1]["Authorization"] == "Bearer abc"
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(UsageError, match="MY_TOKEN"):
        opened(server, endpoint=Endpoint(token_env="MY_TOKEN"))


def test_a_token_does_not_cross_the_network_in_the_clear(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "abc")
    with pytest.raises(UsageError, match="in the clear") as caught:
        HttpSubject("http://192.0.2.1:8080/predict", endpoint=Endpoint(token_env="MY_TOKEN"))
    assert "https" in caught.value.hint
    assert "abc" not in caught.value.diagnostics()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_asked_again_after_the_time_it_names(serve, opened, status):
    def reply(body, number):
        return (status, {"Retry-After": "1"}, b"") if number == 1 else instances(body, number)

    subject = opened(serve(reply))
    started = time.monotonic()
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))
    assert time.monotonic() - started >= 0.95
    assert subject.n_queries == 14


def test_a_broken_connection_is_tried_again(serve, opened):
    server = serve(lambda body, number: (0, {}, b"") if number < 3 else instances(body, number))
    assert len(opened(server, endpoint=Endpoint(retries=2)).labels(X)) == 7
    with pytest.raises(SubjectFailed, match="broke"):
        opened(serve(lambda *_: (0, {}, b"")), endpoint=Endpoint(retries=0)).labels(X)


@pytest.mark.parametrize(
    ("status", "word"), [(401, "unauthenticated"), (403, "suspended"), (429, "rate"), (503, "quarantine")]
)
def test_who_is_turned_away_after_answers_is_contained(serve, opened, status, word):
    def reply(body, number):
        refused = status, {"Retry-After": "0"}, json.dumps({"error": word}).encode()
        return ok({"y": scores_of(body["x"])}) if number <= 3 else refused

    subject = opened(serve(reply), endpoint=Endpoint(format="native", batch=2), answers="scores")
    with pytest.raises(Contained, match=r"^contained by the service after 6 queries: .* status ") as caught:
        subject.scores(X)
    assert caught.value.exit_code == 3
    assert subject.n_answered == 6


def test_who_was_never_answered_is_not_contained(serve, opened):
    subject = opened(serve(lambda body, number: (403, {}, b"{}")), endpoint=Endpoint(format="native"))
    with pytest.raises(SubjectFailed) as caught:
        subject.labels(X)
    assert not isinstance(caught.value, Contained)
    assert "token_env" in caught.value.hint


def test_a_server_that_is_busy_after_answers_is_not_contained(serve, opened):
    def reply(body, number):
        return ok({"y": scores_of(body["x"])}) if number <= 1 else (503, {"Retry-After": "0"}, b'{"error": "overload"}')

    subject = opened(serve(reply), endpoint=Endpoint(format="native", batch=2), answers="scores")
    with pytest.raises(SubjectFailed) as caught:
        subject.scores(X)
    assert not isinstance(caught.value, Contained)


def test_busy_for_ever(serve, opened):
    server = serve(lambda *_: (503, {"Retry-After": "0"}, b"overloaded"))
    with pytest.raises(SubjectFailed, match=r"503.*overloaded"):
        opened(server, endpoint=Endpoint(retries=2)).labels(X)
    assert len(server.seen) == 3


def test_an_endpoint_that_hangs(serve, opened):
    def reply(*_):
        server.release.wait(20)
        return ok({})

    server = serve(reply)
    started = time.monotonic()
    with pytest.raises(SubjectFailed, match=r"did not answer within 0\.3 s"):
        opened(server, endpoint=Endpoint(timeout_s=0.3)).labels(X)
    assert time.monotonic() - started < 3
    assert len(server.seen) == 1


def test_an_endpoint_that_drips_is_held_to_one_deadline():
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    subject = HttpSubject(f"http://127.0.0.1:{listener.getsockname()[1]}/", endpoint=Endpoint(timeout_s=0.4))
    started = time.monotonic()
    with pytest.raises(SubjectFailed, match="did not answer within"):
        subject.labels(X)
    assert time.monotonic() - started < 3
    stop.set()
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((500, {}, b"Traceback: disk full"), "status 500.*disk full"),
        ((404, {}, b""), "status 404"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "status 302"),
        ((200, {}, b"<html>hello</html>"), "no JSON.*html"),
        ((200, {}, b""), "no JSON"),
        ((200, {}, b"[" * 100000), "no JSON"),
        (ok({"error": "no"}), "an object with error"),
        (ok({"predictions": 3}), "a int"),
        (ok({"predictions": [[1, 2], [3]]}), "different lengths"),
        (ok({"predictions": [{"label": 1}] * 7}), "values of type object"),
        (ok({"predictions": [1, 2]}), "answered 7 inputs"),
        (ok({"predictions": [None] * 7}), "values of type object"),
        ((200, {}, b'{"predictions": [[NaN, 1], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1]]}'), "NaN"),
        ((200, {"Content-Length": "50"}, b"{}"), "broke|did not answer"),
    ],
)
def test_nonsense_is_an_error_with_advice(serve, opened, reply, words):
    with pytest.raises(SubjectFailed, match=words):
        opened(serve(lambda *_: reply), endpoint=Endpoint(retries=0, timeout_s=0.5)).labels(X)


@pytest.mark.parametrize(
    "output",
    [{"shape": [7, 3], "data": [1.0]}, {"shape": "no", "data": [1.0]}, {"data": {}}, {"shape": [-1], "data": [1.0]}],
)
def test_open_inference_nonsense(serve, opened, output):
    with pytest.raises(SubjectFailed, match="expected a list"):
        opened(serve(lambda *_: ok({"outputs": [output]})), endpoint=Endpoint(format="inputs")).labels(X)


def test_the_rate_is_kept(serve, opened):
    subject = opened(serve(instances), endpoint=Endpoint(batch=1, rate_per_s=20))
    started = time.monotonic()
    subject.labels(X)
    assert time.monotonic() - started >= 6 / 20 * 0.95


def test_addresses_that_cannot_be_used(serve):
    for url in ("ftp://host/", "http://", "http://user:secret@127.0.0.1/"):
        with pytest.raises(UsageError):
            HttpSubject(url)
    server = serve(instances)
    server.shutdown()
    server.server_close()
    with pytest.raises(SubjectFailed, match="nothing answers"):
        HttpSubject(server.url)


@pytest.mark.parametrize("template", ["no json", '{"x": 1}'])
def test_templates_that_cannot_be_used(serve, opened, template):
    with pytest.raises(UsageError, match="template"):
        opened(serve(instances), template=template).labels(X)


def test_queries_of_the_address_stay_out_of_reports(serve, opened):
    server = serve(instances)
    subject = HttpSubject(server.url + "?key=secret")
    subject.labels(X)
    subject.close()
    assert server.seen[0][0].endswith("?key=secret")
    assert "secret" not in str(subject.ref)

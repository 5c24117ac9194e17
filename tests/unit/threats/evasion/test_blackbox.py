"""Attacks that only ask: which one runs by default, what they may ask of a table, and how they use an endpoint."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import redan
from redan.core.errors import UnknownName
from redan.core.settings import Endpoint
from redan.runner.plan import Choice, plan
from redan.runner.target import Target
from redan.subjects.callable import CallableSubject
from redan.subjects.http import HttpSubject
from redan.subjects.options import Options

COLUMNS = ("age", "rooms", "income", "city_a", "city_b", "city_c")
RULE = {
    "square": "RDN-EVA-020",
    "nes": "RDN-EVA-022",
    "score-search": "RDN-EVA-023",
    "hopskipjump": "RDN-EVA-003",
}
RULES = {
    "immutable": ["age"],
    "integer": ["rooms"],
    "one_hot": ["city_*"],
    "only_up": ["income"],
    "range": {"rooms": [1, 8]},
    "cost": {"income": 0.5, "rooms": 2.0},
}


def table(n=240, seed=0):
    random = np.random.default_rng(seed)
    age, rooms, income = random.uniform(18, 90, n), random.integers(1, 9, n), random.uniform(1, 9, n)
    city = np.eye(3)[random.integers(0, 3, n)]
    x = np.column_stack([age, rooms, income, city])
    y = (0.5 * rooms + income - 0.05 * age + 2 * city[:, 0] > 6).astype(np.int64)
    return x, y


@cache
def forest():
    return RandomForestClassifier(5, random_state=0).fit(*table(seed=1))


def scored(rows):
    """Probabilities of what `table` means, a step function of rooms among it."""
    value = 0.5 * np.round(rows[:, 1]) + rows[:, 2] - 0.05 * rows[:, 0] + 2 * rows[:, 3] - 6
    share = 1 / (1 + np.exp(-value))
    return np.column_stack([1 - share, share])


def named(x, y):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(x, columns=list(COLUMNS)), y


def quantities(report, rule):
    found = next(f for f in report.findings if f.rule == rule)
    return found, {q.name: q.value for q in found.quantities}


def planned(target):
    """Names of our attacks that run when nobody names any."""
    steps = plan([target.subject], target.inputs, Choice(threats=("evasion",))).steps
    ours = {"cascade", "trees", "score-search", "square", "hopskipjump", "simba", "nes"}
    return {step.entry.name for step in steps} & ours


def test_the_best_informed_attack_runs_by_default():
    x, y = table(12)
    model = forest()
    only_labels = redan.subject(lambda rows: model.predict(rows).astype(np.int64), data=(x, y), name="labels only")
    with_scores = redan.subject(model.predict_proba, data=(x, y), name="scores only")
    readable = redan.subject(model, data=(x, y))
    net = redan.subject(torch.nn.Linear(6, 2), data=(x.astype(np.float32), y))
    best = ((only_labels, "hopskipjump"), (with_scores, "score-search"), (readable, "trees"), (net, "cascade"))
    for subject, expected in best:
        assert planned(subject) == {expected}


@pytest.mark.parametrize("probe", ["score-search", "nes", "hopskipjump"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_row_that_is_asked_keeps_the_constraints(probe, norm):
    from redan.core.codec import decode
    from redan.core.constraints import Rules
    from redan.kernels.constraints.resolving import resolve

    x, y = table(12)
    x[0, 1] = 2.5  # this row breaks the rules as it is
    asked = []

    def scores(rows):
        asked.append(np.array(rows))
        return scored(rows)

    subject = redan.subject(scores, data=named(x, y), constraints=RULES)
    asked.clear()  # opening asked about a few rows
    eps = 0.5 if norm == "linf" else 1.5
    report = redan.attack(subject, probes=[probe], norm=norm, eps=eps, plan="quick")
    finding, values = quantities(report, RULE[probe])
    rules = resolve(decode(Rules, RULES, ""), COLUMNS)
    every = np.concatenate(asked)
    assert len(every) > 300
    own = np.any([rules.feasible(every, np.broadcast_to(clean, every.shape)) for clean in x[1:]], axis=0)
    same = (every[:, None] == x[None]).all(axis=2).any(axis=1)
    assert (own | same).all()
    assert values["rows_not_attacked"] == 1
    assert values["attack_success_rate"] > 0
    assert values["median_cost"] > 0
    assert "1 of 12 rows break them" in finding.detail


def test_constraints_make_a_model_no_weaker():
    x, y = table(30)
    free = redan.subject(scored, data=(x, y))
    bound = redan.subject(scored, data=named(x, y), constraints=RULES)
    free, bound = (redan.attack(each, probes=["square"], eps=0.2, plan="quick") for each in (free, bound))
    _, without = quantities(free, "RDN-EVA-020")
    _, within = quantities(bound, "RDN-EVA-020")
    assert within["robust_accuracy"] > without["robust_accuracy"]


def test_a_rule_about_no_column_is_refused_before_anything_is_asked():
    asked = []
    with pytest.raises(UnknownName, match="romms") as caught:
        redan.subject(asked.append, data=named(*table(5)), constraints={"integer": ["romms"]})
    assert "rooms" in caught.value.hint
    assert not asked


class Handler(BaseHTTPRequestHandler):
    """Answers with probabilities, and is busy at every thirtieth request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"]
        self.server.sizes.append(len(rows))
        busy = len(self.server.sizes) % 30 == 0
        document = {"predictions": self.server.model.predict_proba(np.array(rows)).tolist()}
        body = b"" if busy else json.dumps(document).encode()
        self.send_response(429 if busy else 200)
        if busy:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def served(model):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.sizes, server.model = [], model
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("probe", "most_requests"), [("square", 200), ("hopskipjump", 150)])
def test_an_endpoint_sees_few_large_requests_and_its_busy_answers_are_waited_for(probe, most_requests):
    x, y = table(24)
    model = LogisticRegression(max_iter=500).fit(*table(seed=1))
    with served(model) as server:
        url = f"http://127.0.0.1:{server.server_port}/predict"
        subject = HttpSubject(
            url, endpoint=Endpoint(batch=4000), options=Options(answers="scores", score_kind="probabilities")
        )
        target = Target(subject=subject, inputs=redan.subject(model, data=(x, y)).inputs)
        report = redan.attack(target, probes=[probe], plan="quick", eps=0.02, budget="20k queries")
        subject.close()
    _, values = quantities(report, RULE[probe])
    assert len(server.sizes) <= most_requests * 1.3 + 20
    assert values["forward_samples"] <= 20_000
    assert values["forward_samples"] / len(server.sizes) > 4
    assert 0 < values["robust_accuracy"] < 1


def test_a_query_budget_cuts_short_and_says_so():
    report = redan.attack(redan.subject(forest(), data=table(20)), probes=["square"], eps=0.01, budget="500 queries")
    finding, values = quantities(report, "RDN-EVA-020")
    assert values["forward_samples"] <= 500
    assert "cut short" in finding.detail
    assert next(q for q in finding.quantities if q.name == "robust_accuracy").partial


def test_callables_with_scores_are_attacked_by_scores():
    x, y = table(10)
    model = forest()
    subject = CallableSubject(model.predict_proba, options=Options(name="f"), sample=x[:4])
    target = Target(subject=subject, inputs=redan.subject(model, data=(x, y)).inputs)
    assert planned(target) == {"score-search"}


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm", "onnx"])
@pytest.mark.parametrize("probe", ["score-search", "hopskipjump"])
def test_boosters_and_graphs_are_attacked_under_constraints(kind, probe):
    model = {"xgboost": xgboost_model, "lightgbm": lightgbm_model, "onnx": onnx_model}[kind]()
    x, y = table(10)
    subject = redan.subject(model, data=named(x, y), constraints=RULES, name=kind)
    report = redan.attack(subject, probes=[probe], eps=0.4, plan="quick", budget="400 queries")
    _, values = quantities(report, RULE[probe])
    assert values["rows_not_attacked"] == 0
    assert 0 <= values["robust_accuracy"] <= values["clean_accuracy"]
    assert values["forward_samples"] <= 400


def xgboost_model():
    xgboost = pytest.importorskip("xgboost")
    matrix = xgboost.DMatrix(*table(seed=1))
    return xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, num_boost_round=5)


def lightgbm_model():
    lightgbm = pytest.importorskip("lightgbm")
    told = {"objective": "binary", "verbose": -1, "num_threads": 1}
    return lightgbm.train(told, lightgbm.Dataset(*table(seed=1)), num_boost_round=5)


def onnx_model():
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weight = np.array([[0.05, -0.05], [-0.5, 0.5], [-1, 1], [-2, 2], [0, 0], [0, 0]], np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Add", ["z", "b"], ["logits"])]
    constants = [
        onnx.numpy_helper.from_array(weight, "w"),
        onnx.numpy_helper.from_array(np.array([6, -6], np.float32), "b"),
    ]
    ends = [helper.make_tensor_value_info(name, floats, ["n", size]) for name, size in (("x", 6), ("logits", 2))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

"""What is counted, and that it cannot grow without bound."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from tests.unit.service.monitoring.standins import Rooms, batch, finding, parts, served

from redan.core.finding import Severity
from redan.service.gateway import refusal
from redan.service.gateway.refusal import BUDGET, FAILED, INVALID, RATE, WATCHED, Refusal
from redan.service.monitoring.exposition import GUARD_OF, present
from redan.service.monitoring.families import FAMILIES, SERIES
from redan.service.monitoring.recorder import MOST_SERIES, Counting
from redan.service.parts import Parts

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def expose(service: Parts, counting: Counting, accept: str) -> tuple[bytes, str]:
    return present(service, counting).written(accept)


def read(text: bytes) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Return every sample of a text that our own process did not add."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in plain(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_a_batch_is_counted_by_version_status_and_reason(tmp_path: Path) -> None:
    service = parts(tmp_path)
    group = batch(5, served(), rows=2)
    group.calls[1].refusal = WATCHED
    service.recorder.answered(group, 0.25)
    service.recorder.refused("infer", RATE)
    service.recorder.refused("/v1/audit", RATE)
    text, kind = expose(service, service.recorder, "")
    found = read(text)
    version = (("model", "credit"), ("version", "1"))
    assert kind.startswith("text/plain")
    assert found["redan_requests_total"] == {
        (version[0], ("status", "200"), version[1]): 4,
        (version[0], ("status", "403"), version[1]): 1,
    }
    assert found["redan_rows_total"] == {version: 8}
    assert found["redan_batch_seconds_total"] == {version: 0.25}
    assert found["redan_request_seconds_count"] == {version: 4}
    assert found["redan_batch_rows_bucket"][("le", "4.0"), *version] == 0
    assert found["redan_batch_rows_bucket"][("le", "8.0"), *version] == 1
    assert found["redan_refusals_total"] == {
        (("route", "infer"), ("status", "403"), ("why", "guard")): 1,
        (("route", "infer"), ("status", "429"), ("why", "rate")): 1,
        (("route", "/v1/audit"), ("status", "429"), ("why", "rate")): 1,
    }


def test_latencies_fall_into_their_buckets_and_sum_up(tmp_path: Path) -> None:
    service = parts(tmp_path)
    group = batch(2, served())
    group.calls[0].began_s -= 0.03
    group.calls[1].began_s -= 30
    service.recorder.answered(group, 0.0)
    buckets = read(expose(service, service.recorder, "")[0])["redan_request_seconds_bucket"]
    by_bound = {dict(labels)["le"]: value for labels, value in buckets.items()}
    assert (by_bound["0.02"], by_bound["0.05"], by_bound["10.0"], by_bound["+Inf"]) == (0, 1, 1, 2)


def test_the_exemplar_of_a_traced_request_names_its_trace(tmp_path: Path) -> None:
    service = parts(tmp_path)
    group = batch(1, served())
    group.calls[0].trace = (0xABC, 0)
    service.recorder.answered(group, 0.0)
    text, kind = expose(service, service.recorder, OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    exemplars = [s.exemplar for f in openmetrics(text.decode()) for s in f.samples if s.exemplar is not None]
    assert [e.labels for e in exemplars] == [{"trace_id": f"{0xABC:032x}"}]


def test_models_limits_and_audit_are_read_when_prometheus_asks(tmp_path: Path) -> None:
    rooms = Rooms()
    rooms.loaded.append((served(version="2"), "canary"))
    rooms.not_admitted = [("credit", "3", "no statement")]
    rooms.slow = {"client:a": (0, 4e9), "client:b": (2, 4e9), "client:c": (1, 4e9)}
    rooms.numbers = [("redan_audit_pending", (), 7)]
    rooms.sound = False
    service = parts(tmp_path, rooms)
    found = read(expose(service, service.recorder, "")[0])
    assert found["redan_audit_healthy"] == {(): 0}
    assert found["redan_audit_pending"] == {(): 7}
    assert found["redan_clients_suspended"] == {(): 1}
    assert found["redan_clients_throttled"] == {(): 2}
    assert found["redan_model_refused"] == {(("model", "credit"), ("version", "3")): 1}
    assert {dict(labels)["role"] for labels in found["redan_model_loaded"]} == {"live", "canary"}
    assert b"client:" not in expose(service, service.recorder, "")[0]


def test_findings_are_counted_by_rule_and_severity_and_dated(tmp_path: Path) -> None:
    service = parts(tmp_path)
    service.findings.listen(service.recorder.found)
    for _ in range(3):
        service.findings.publish(finding())
    service.findings.publish(finding(Severity.LOW))
    found = read(expose(service, service.recorder, "")[0])
    assert found["redan_findings_total"] == {
        (("rule", "RDN-THE-201"), ("severity", "high")): 3,
        (("rule", "RDN-THE-201"), ("severity", "low")): 1,
    }
    assert min(found["redan_finding_seen_timestamp_seconds"].values()) > 1.7e9


def test_everything_exposed_is_in_the_table_of_metrics(tmp_path: Path) -> None:
    service = parts(tmp_path)
    service.recorder.answered(batch(1, served()), 0.0)
    service.recorder.refused("infer", INVALID)
    names = {name for name in read(expose(service, service.recorder, "")[0]) if name.startswith("redan_")}
    assert names <= SERIES
    assert {"redan_guard_denials_total", "redan_request_seconds_bucket"} <= names


def test_every_reason_that_a_guard_gives_is_a_reason_of_the_gateway() -> None:
    reasons = {value.why for value in vars(refusal).values() if isinstance(value, Refusal)}
    assert set(GUARD_OF) <= reasons


def test_a_family_that_nobody_defined_is_refused() -> None:
    with pytest.raises(KeyError):
        Counting().set("redan_surprise", (), 1)
    assert {family.name for family in FAMILIES.values() if family.name.endswith("_total")} == set()


def test_no_metric_grows_without_bound_and_what_is_dropped_is_counted() -> None:
    counting = Counting()
    for n in range(MOST_SERIES + 50):
        counting.refused(f"/{n}", BUDGET)
        counting.set("redan_drift", ("m", "1", f"column {n}", "psi"), 0.1)
    assert len(counting.denials) == MOST_SERIES
    assert len(counting.own()) == MOST_SERIES
    assert counting.dropped == 100
    counting.refused("/0", BUDGET)
    assert counting.denials["/0", 429, "budget"] == 2


def test_refusals_that_differ_only_in_their_sentence_are_one_series() -> None:
    counting = Counting()
    for n in range(10):
        counting.refused("/v1/models/{name}", Refusal(FAILED.status, FAILED.why, f"sentence {n}"))
    assert counting.denials == {("/v1/models/{name}", 503, "failed"): 10}


def test_threads_that_add_at_once_lose_nothing() -> None:
    counting = Counting()
    threads = [
        threading.Thread(target=lambda: [counting.add("redan_alerts", ("mail", "sent")) for _ in range(2000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counting.own() == [("redan_alerts", ("mail", "sent"), 8000)]


def test_a_part_whose_numbers_are_in_no_family_is_a_mistake_that_tests_see(tmp_path: Path) -> None:
    rooms = Rooms()
    rooms.numbers = [("redan_audit_pending", ("label too many",), 1)]
    service = parts(tmp_path, rooms)
    with pytest.raises(ValueError, match="no family"):
        present(service, service.recorder)


def test_what_is_written_is_the_moment_that_was_read(tmp_path: Path) -> None:
    service = parts(tmp_path)
    service.recorder.answered(batch(1, served()), 0.0)
    now = present(service, service.recorder)
    service.recorder.answered(batch(1, served()), 0.0)
    assert sum(read(now.written("")[0])["redan_request_seconds_count"].values()) == 1

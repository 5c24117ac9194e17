"""What people do on the console's pages, over the assembled gateway: each deed once, with its right, its record."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest
from tests.console_house import LONG, MODEL, ROLES, Console, console, post, until
from tests.served import seal_scan

from redan.core.settings_service import RegistrySettings
from redan.evidence.keys import generate, save
from redan.evidence.log.notes import NoteKey
from redan.evidence.log.reading import LogReader, own_key
from redan.service.audit import export
from redan.service.audit.act import decode
from redan.service.audit.places import log_folder
from redan.service.console import feed as feeding
from redan.service.console.endpoints import ENDPOINTS
from redan.service.console.forms import page_of
from redan.service.identity import directory
from redan.service.incidents import tables, timeline
from redan.service.incidents.endpoints import by_hand
from redan.service.incidents.postmortem import TO_FILL
from redan.service.registry.opening import create_registry
from redan.service.registry.pushing import Person, push
from redan.service.routes import routes
from redan.service.web.permission import denied

_FORM = re.compile(r'<form method="post" action="([^"]*)"')
_LINK = re.compile(r'href="(/[^"#]*)"')


def said(answer: httpx.Response) -> str:
    """Return what a refusal page says."""
    found = re.search(r'class="refused" role="alert"><p>(.*?)</p>', answer.text, flags=re.DOTALL)
    assert found, answer.text[-800:]
    return found[1]


def test_every_form_stands_on_a_page_that_exists() -> None:
    pages = {row.path for row in ENDPOINTS if row.method == "GET"}
    for row in ENDPOINTS:
        if row.method == "POST":
            assert page_of(row.path) in pages, row.path
            assert row.action
            assert row.kind == "page"
            assert row.csrf


@pytest.mark.parametrize("role", ROLES)
def test_no_page_shows_a_button_or_a_link_that_would_be_refused(home: Console, role: str) -> None:
    principal = home.run(home.parts.authority.from_session(home.session(role, mfa=True), "127.0.0.1"))
    assert principal is not None
    rows = {(row.method, row.path): row for row in routes(home.parts)}
    with home.browser(role, mfa=True) as client:
        seen, waiting, n_forms = {"/console"}, ["/console"], 0
        while waiting:
            answer = client.get(waiting.pop())
            assert answer.status_code == 200, (role, answer.url, answer.status_code)
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            for action in _FORM.findall(answer.text):
                row, model = _row(rows, action)
                n_forms += 1
                assert denied(row, principal, model=model, now_s=0, step_up_s=1e12, confirmed=True) is None, action
            for link in _LINK.findall(answer.text):
                if link.startswith("/console") and link not in seen and len(seen) < 60:
                    seen.add(link)
                    waiting.append(link.replace("&amp;", "&"))
        assert n_forms or role in ("viewer", "registrar")


def _row(rows: dict, action: str):  # type: ignore[no-untyped-def,type-arg]
    from starlette.routing import compile_path

    for (method, path), row in rows.items():
        found = compile_path(path)[0].fullmatch(action)
        if method == "POST" and found:
            return row, (found.groupdict().get(row.model, "") if row.model else "")
    raise AssertionError(f"no row for {action}")


def test_a_promotion_needs_a_fresh_second_factor_and_then_is_done_and_recorded(home: Console) -> None:
    path = f"/console/models/{MODEL}/promote"
    with home.browser("operator") as client:
        page = client.get(f"/console/models/{MODEL}").text
        assert f'action="{path}"' not in page
        assert f"/login/second?next=/console/models/{MODEL}" in page
        answer = post(client, path, version="2")
        assert answer.status_code == 403
        assert f"/login/second?next=/console/models/{MODEL}" in answer.text
        assert home.parts.models.choose(MODEL, "1", "client:x") is not None
    with home.browser("operator", mfa=True) as client:
        assert client.post(path, data={"version": "2"}).status_code == 403
        assert "Roll back" not in client.get(f"/console/models/{MODEL}").text
        answer = post(client, path, version="2")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/models/{MODEL}?done=promoted")
        page = client.get(answer.headers["location"]).text
        assert "the version is live" in page
        assert "Roll back to 1" in page
        assert post(client, f"/console/models/{MODEL}/rollback").status_code == 303
        answer = post(client, f"/console/models/{MODEL}/promote", version="9")
        assert answer.status_code == 404
        assert "9" in said(answer)
    with home.browser("viewer", mfa=True) as client:
        assert post(client, path, version="2").status_code == 403


def test_a_version_that_is_not_admitted_is_not_promoted_and_the_page_says_why(home: Console) -> None:
    with home.browser("operator", mfa=True) as client:
        answer = post(client, f"/console/models/{LONG}/promote", version="1")
        assert answer.status_code == 409
        assert "is not admitted: scan: expected a statement by ci.key.pub" in said(answer)


def test_an_incident_is_noted_contained_undone_and_closed(home: Console) -> None:
    here = "/console/incidents/1"
    with home.browser("responder") as client:
        page = client.get(here).text
        assert f'action="{here}/contain"' not in page
        assert f'action="{here}/steps"' in page
        assert post(client, f"{here}/notes", text="asked <script>alert(1)</script> why").status_code == 303
        page = client.get(here).text
        assert "<script>alert" not in page
        assert "asked &lt;script&gt;alert(1)&lt;/script&gt; why" in page
        assert post(client, f"{here}/contain", step="model-theft/slow").status_code == 403
    with home.browser("responder", mfa=True) as client:
        assert post(client, f"{here}/contain", step="model-theft/slow").status_code == 303
        until(lambda: "client:eve" in home.parts.limiter.throttled())
        until(lambda: "Undo slow" in client.get(here).text)
        clients = client.get("/console/clients").text
        assert '<a href="/console/incidents/1">incident 1</a>' in clients
        answer = post(client, "/console/clients/release", client="client:eve")
        assert answer.status_code == 409
        assert "incident 1 holds client:eve" in said(answer).lower()
        answer = post(client, f"{here}/close", postmortem=client.get(f"{here}/postmortem").text)
        assert answer.status_code == 409
        text = client.get("/v1/incidents/1/postmortem").text
        assert TO_FILL in text
        assert f"is still '{TO_FILL}'".lower() in _plain(post(client, f"{here}/close", postmortem=text)).lower()
        assert post(client, f"{here}/release", step="model-theft/slow").status_code == 303
        until(lambda: ">undone</span>" in client.get(here).text)
        assert "client:eve" not in home.parts.limiter.throttled()
        assert post(client, f"{here}/close", postmortem=text.replace(TO_FILL, "known")).status_code == 303
        assert "Read the post-mortem" in client.get(here).text
        assert post(client, "/console/incidents/open", title="seen by me", severity="low").status_code == 303
        assert "seen by me" in client.get("/console/incidents?state=open").text


def _plain(answer: httpx.Response) -> str:
    import html

    return html.unescape(said(answer))


def test_a_client_is_held_back_and_let_go(home: Console) -> None:
    with home.browser("responder", mfa=True) as client:
        assert post(client, "/console/clients/slow", client="client:nobody").status_code == 404
        assert post(client, "/console/clients/slow", client="client:alice", rate_per_s="-1").status_code == 400
        assert post(client, "/console/clients/slow", client="client:alice", how="suspend").status_code == 303
        assert home.ask() == [403]
        assert "suspended" in client.get("/console/clients").text
        assert post(client, "/console/clients/release", client="client:alice").status_code == 303
        assert home.ask() == [200]
    with home.browser("operator", mfa=True) as client:
        assert post(client, "/console/clients/slow", client="client:alice", how="suspend").status_code == 403


def test_a_client_is_held_back_and_let_go_by_the_api_where_no_incident_holds_it_harder(home: Console) -> None:
    path = "/v1/clients/client:alice"
    with home.browser("responder", mfa=True) as client:
        client.headers["x-csrf-token"] = client.headers["x-test-csrf"]
        assert client.post(f"{path}/throttle", json={"rate_per_s": -1}).status_code == 400
        assert client.post("/v1/clients/client:nobody/throttle", json={}).status_code == 404
        assert client.post(f"{path}/throttle", json={"rate_per_s": 0, "hours": 1}).status_code == 204
        assert home.ask() == [403]
        (found,) = client.get("/v1/clients/throttled").json()["clients"]
        assert (found["client"], found["rate_per_s"], found["incidents"]) == ("client:alice", 0.0, [])
        assert 3500e6 < found["until_us"] - time.time_ns() // 1000 < 3700e6
        hold = {"incident": 1, "step": "p/s", "client": "client:alice", "rate_per_s": 0.0, "automatic": 0}
        with home.parts.database.writing() as connection:
            timeline.lock(connection)
            finding = by_hand("odd", severity="low", threat="theft", subject="m", client="client:alice")
            number = timeline.take(connection, finding, who="user:responder").incident.number
            until_us = time.time_ns() // 1000 + 60_000_000
            connection.execute(tables.holds.insert().values({**hold, "incident": number, "until_us": until_us}))
        assert client.get("/v1/clients/throttled").json()["clients"][0]["incidents"] == [number]
        for verb, body in (("release", None), ("throttle", {"rate_per_s": 5})):
            answer = client.post(f"{path}/{verb}", json=body) if body else client.post(f"{path}/{verb}")
            assert answer.status_code == 409
        assert client.post(f"{path}/throttle", json={"rate_per_s": 0}).status_code == 204
        with home.parts.database.writing() as connection:
            connection.execute(tables.holds.delete())
        home.parts.watching.suspects.add(home.parts.models.all()[0][0].digest, "client:alice")
        assert client.post(f"{path}/release").status_code == 204
        assert home.ask() == [200]
        assert client.get("/v1/clients/throttled").json() == {"clients": []}
    with home.browser("operator", mfa=True) as client:
        client.headers["x-csrf-token"] = client.headers["x-test-csrf"]
        assert client.post(f"{path}/throttle", json={}).status_code == 403
    with home.browser("responder") as client:
        client.headers["x-csrf-token"] = client.headers["x-test-csrf"]
        answer = client.post(f"{path}/throttle", json={}, headers={"accept": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (403, "step-up")


def test_access_is_reviewed_by_others_alone(home: Console) -> None:
    with home.browser("administrator", mfa=True) as client:
        page = client.get("/console/access").text
        assert "Nobody decides about themselves" in page
        fields = {"role": "registrar", "model": "*", "decision": "keep", "note": "new here"}
        assert post(client, "/console/access/decide", subject="user:registrar", **fields).status_code == 303
        assert "kept" in client.get("/console/access?who=registrar").text
        fields["role"] = "administrator"
        assert post(client, "/console/access/decide", subject="user:administrator", **fields).status_code == 403
    with home.browser("auditor", mfa=True) as client:
        assert "<summary>Decide" not in client.get("/console/access").text


def test_the_audit_log_is_searched_page_by_page_and_one_record_is_proved(home: Console) -> None:
    home.ask(60)
    until(lambda: len(_predictions(home)) >= 60)
    with home.browser("auditor", mfa=True) as client:
        until(lambda: _found(client, "/console/audit?client=client:alice&act=predict") == 50)
        first = client.get("/console/audit?client=client:alice&act=predict").text
        older = re.search(r'href="(/console/audit\?[^"]*after=[^"]*)">Older', first)
        assert older
        second = client.get(older[1].replace("&amp;", "&")).text
        records = [set(re.findall(r'href="(/console/audit/r1/\d+)"', text)) for text in (first, second)]
        assert len(records[0]) == 50
        assert records[1]
        assert not records[0] & records[1]
        one = min(records[1])
        assert "client:alice" in client.get(one).text
        entry, proof = client.get(f"{one}/entry"), client.get(f"{one}/proof")
        assert decode(entry.content).who == "client:alice"
        assert proof.headers["content-disposition"].startswith("attachment")
        assert "tlog-proof" in proof.text
        for wrong in ("since=yesterday", "nothing=1", "after=1.2", "verdict=perhaps", f"limit={'9' * 30}"):
            answer = client.get(f"/console/audit?{wrong}")
            assert answer.status_code == 400, wrong
            assert 'role="alert"' in answer.text
        taken = post(client, "/console/audit/export", replica="r1", start="0", stop="5")
        assert taken.status_code == 200
        key: NoteKey = own_key(log_folder(home.parts.settings, home.folder, "r1"))
        assert export.check(taken.content.splitlines(keepends=True), key) == 5
    with home.browser("responder", mfa=True) as client:
        assert "Export a range" not in client.get("/console/audit").text
        assert post(client, "/console/audit/export", replica="r1").status_code == 403


def _predictions(home: Console) -> list[bytes]:
    reader = LogReader(log_folder(home.parts.settings, home.folder, "r1"))
    return [entry for entry in reader.entries() if b'"predict"' in entry]


def _found(client: httpx.Client, path: str) -> int:
    return len(set(re.findall(r'href="(/console/audit/r1/\d+)"', client.get(path).text)))


def test_what_is_done_and_refused_on_pages_stands_in_the_log(home: Console) -> None:
    wanted = {
        ("user:operator", "models.promote", True),
        ("user:operator", "models.promote", False),
        ("user:responder", "clients.throttle", True),
        ("user:administrator", "identity.write", True),
        ("user:auditor", "audit.export", True),
    }
    until(lambda: wanted <= _done(home))


def _done(home: Console) -> set[tuple[str, str, bool]]:
    acts = [decode(entry) for entry in LogReader(log_folder(home.parts.settings, home.folder, "r1")).entries()]
    forms = [act for act in acts if str((act.more or {}).get("path", "")).startswith("POST /console")]
    return {(act.who, act.act, act.ok) for act in forms}


def test_a_report_is_shown_in_a_sandbox_and_nothing_else_is(home: Console) -> None:
    from redan.cli.runs import new_run
    from redan.runner.scan import scan

    run = new_run(home.folder / ".redan")
    run.finish(scan(home.folder / f"{MODEL}-1.onnx"), ())
    (home.folder / "report.json").write_text("{}")
    with home.browser("viewer") as client:
        assert run.path.name in client.get("/console/reports").text
        shown = client.get(f"/console/reports/runs/{run.path.name}")
        assert shown.status_code == 200
        policy = shown.headers["content-security-policy"]
        assert policy.startswith("sandbox allow-scripts; default-src 'none'")
        assert "allow-same-origin" not in policy
        for wrong in ("runs/latest", "runs/%2e%2e", "store/abcd", "else/1", f"runs/{run.path.name}.x"):
            assert client.get(f"/console/reports/{wrong}").status_code == 404, wrong


def test_programs_are_refused_in_json_as_ever(home: Console) -> None:
    answer = httpx.get(f"{home.url}/nowhere")
    assert (answer.status_code, answer.json()["error"]) == (404, "not-found")
    browser = httpx.get(f"{home.url}/nowhere", headers={"Accept": "text/html,*/*"})
    assert browser.headers["content-type"].startswith("text/html")
    assert "There is nothing at this address" in browser.text


def test_a_stream_is_told_of_traffic_and_ends_with_the_session_of_nobody(home: Console) -> None:
    assert httpx.get(f"{home.url}/console/live/events").status_code == 303
    with home.browser("viewer") as client, client.stream("GET", "/console/live/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        home.ask(2)
        for line in stream.iter_lines():
            if line.startswith("event: numbers"):
                break
    until(lambda: home.parts.more["console"].streams.total() == 0)


def test_a_gateway_that_stops_ends_its_streams_and_is_not_held_up_by_them(tmp_path: Path) -> None:
    with console(tmp_path) as own, own.browser("viewer") as client:
        with client.stream("GET", "/console/live/events") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            began_s = time.monotonic()
            own.server.should_exit = True
            assert "event: end" in list(lines)
        until(lambda: not own.thread.is_alive())
        assert time.monotonic() - began_s < 6


def test_a_version_of_the_registry_is_promoted_by_the_registrar_when_it_is_sealed(tmp_path: Path) -> None:
    save(generate("ed25519"), tmp_path / "reg.key")
    settings = RegistrySettings(store="reg", signing_key="reg.key")
    (tmp_path / "model.bin").write_bytes(b"weights")
    made = create_registry(settings, tmp_path, record=lambda act: None)
    for version in ("1", "2"):
        push(made, tmp_path / "model.bin", name="fraud", version=version, by=Person(who="user:ada", why="test"))
    made.close()
    with console(tmp_path, more='[registry]\nstore = "reg"\nsigning_key = "reg.key"\n') as own:
        with own.browser("registrar", mfa=True) as client:
            here = "/console/registry/fraud"
            assert f'href="{here}"' in client.get("/console/registry").text
            page = client.get(here).text
            assert "user:ada" in page
            assert f'action="{here}/versions/2/promote"' in page
            answer = post(client, f"{here}/versions/2/promote", why="it is better")
            assert answer.status_code == 409
            assert "scan: expected a statement by ci.key.pub" in said(answer)
            assert post(client, f"{here}/versions/9/promote").status_code == 409
            assert client.get("/console/registry/nothing").status_code == 404
            seal_scan(tmp_path / "model.bin")
            push(
                own.parts.more["registry"], tmp_path / "model.bin", name="fraud", version="3",
                by=Person(who="user:ada", why="sealed"), statements=tmp_path / "model.bin.intoto.jsonl",
            )  # fmt: skip
            for verb, state in (("canary", "canary"), ("promote", "live")):
                assert post(client, f"{here}/versions/3/{verb}", why=f"it is {state}").status_code == 303
                page = client.get(here).text
                assert f">{state}</span>" in page
                assert f"it is {state}" in page
                assert "user:registrar" in page
        with own.browser("auditor") as client:
            assert "<form" not in client.get(here).text


def test_a_stream_ends_with_the_session(home: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "RECHECK_S", 0.5)
    with home.browser("viewer") as client, client.stream("GET", "/console/live/events") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        with home.parts.database.writing() as connection:
            directory.sign_out(connection, "user:viewer")
        assert not any(line.startswith("event: end") for line in lines)
    with home.browser("viewer") as client:
        assert client.get("/console").status_code == 200

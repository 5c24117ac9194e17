"""Bundles: what is appended is read again, and a damaged or hostile file spoils nothing but itself."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
from pathlib import Path

import pytest

from redan.core.errors import EvidenceError, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.keys import generate
from redan.evidence.statements import BOM, Resource, append, beside, bundle, describe, parse, read, statement

ABOUT = Resource(name="net.pt", digest={"sha256": "ab" * 32})


def sealed(number: int = 0) -> dsse.Envelope:
    return dsse.seal(statement([ABOUT], BOM, {"number": number}), generate("ed25519"))


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    path = beside(tmp_path / "net.pt")
    assert path.name == "net.pt.intoto.jsonl"
    assert read(path).envelopes == ()
    envelopes = tuple(sealed(i) for i in range(3))
    for each in envelopes:
        append(path, each)
    assert read(path).envelopes == envelopes


def test_lines_that_are_no_envelopes_are_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_bytes(b'\n[]\n{"payload": 7}\n' + b"[" * 9999 + b"\n\xff\xfe\n")
    append(path, sealed())
    bundle = read(path)
    assert len(bundle.envelopes) == 1
    assert [line.split(" is ignored")[0] for line in bundle.ignored] == ["line 2", "line 3", "line 4", "line 5"]


def test_a_line_that_a_crash_cut_off_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    append(path, sealed(1))
    with path.open("ab") as file:
        file.write(sealed(2).to_json()[:50])
    append(path, sealed(3))
    found = read(path)
    assert [json.loads(e.payload)["predicate"]["number"] for e in found.envelopes] == [1, 3]
    assert len(found.ignored) == 1


def _write(path: Path) -> None:
    for number in range(20):
        append(path, sealed(number))


def test_processes_append_at_once_without_mixing_lines(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(path,)) for _ in range(3)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert len(read(path).envelopes) == 60
    assert read(path).ignored == ()


def test_files_too_large_to_read_are_refused_on_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.jsonl"
    append(path, sealed())
    monkeypatch.setattr(bundle, "LARGEST_BUNDLE_BYTES", 600)
    with pytest.raises(EvidenceError, match="more than 600 bytes"):
        append(path, sealed())
    with path.open("ab") as file:
        file.write(b"x" * 600)
    with pytest.raises(Unreadable, match="more than 600 bytes"):
        read(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot write"):
        append(tmp_path / "absent" / "b.jsonl", sealed())


def test_statements_are_canonical_and_read_strictly() -> None:
    one = statement([ABOUT], BOM, {"b": 1, "a": [0.5, "é\udc80"]})
    assert one == statement([ABOUT], BOM, {"a": [0.5, "é\udc80"], "b": 1})
    read_again = parse(one)
    assert (read_again.subjects, read_again.predicate_type) == ((ABOUT,), BOM)
    assert read_again.predicate == {"b": 1, "a": [0.5, "é\udc80"]}
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        statement([ABOUT], BOM, {"a": float("nan")})
    with pytest.raises(UsageError, match="at least one subject"):
        statement([], BOM, {})


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"_type":"https://in-toto.io/Statement/v0.1"}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","predicate":{},"subject":[]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","predicate":{},"subject":[{"name":"a"}]}',
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"%s"}}],'
        b'"predicate":{"a":1,"a":2}}' % (b"ab" * 32),
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"%s"}}],'
        b'"predicate":{"a":NaN}}' % (b"ab" * 32),
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"%s"}}],'
        b'"predicate":{"a":1e999}}' % (b"ab" * 32),
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"x","subject":[{"digest":{"sha256":"%s"}}],'
        b'"predicate":[]}' % (b"ab" * 32),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(bad: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(bad)


def test_a_folder_is_known_by_all_its_files(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "sub").mkdir(parents=True)
    (model / "sub" / "b.bin").write_bytes(b"2")
    (model / "a.bin").write_bytes(b"1")
    (model / "sub.bin").write_bytes(b"3")
    before = describe(model)
    command = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum | cut -f1 -d' '"
    standard = subprocess.run(["sh", "-c", command], cwd=model, capture_output=True, text=True, check=True)
    assert before.digest == {"dirHash": standard.stdout.strip()}
    assert list(before.files) == ["a.bin", "sub.bin", "sub/b.bin"]
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_bytes(b"x")
    (model / "model.sig").write_bytes(b"x")
    assert describe(model) == before
    (model / "__pycache__").mkdir()
    (model / "__pycache__" / "m.pyc").write_bytes(b"x")
    assert describe(model).digest != before.digest
    (model / "link").symlink_to("a.bin")
    with pytest.raises(Unreadable, match="'link' is a symbolic link"):
        describe(model)


def test_a_file_is_not_taken_for_the_folder_whose_list_it_holds(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "a").write_bytes(b"1")
    lines = f"{describe(model / 'a').digest['sha256']}  a\n"
    (tmp_path / "list").write_text(lines, encoding="utf-8")
    folder, file = describe(model), describe(tmp_path / "list")
    assert folder.digest["dirHash"] == file.digest["sha256"]
    assert not folder.is_same(file)
    assert not Resource(name="", digest={"md5": "00" * 16}).is_same(Resource(name="", digest={"md5": "00" * 16}))

"""Processes that compute predictions: they answer what the server would, and die alone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop
from tests.plane import model, principal
from tests.served import Kind, rows, served

from redan.core.errors import SubjectFailed
from redan.service.gateway.call import Batch, Call
from redan.service.gateway.computing import WorkerLost
from redan.service.gateway.frames import ANSWER, Nonsense, Shape, answers_of, packed, sizes
from redan.service.gateway.recipes import recipe_of
from redan.service.gateway.workers import Crew, Recipe
from redan.service.models.holding import hold
from redan.service.models.served import Answers, Served

REPOSITORY = Path(__file__).resolve().parents[4]


def batch_of(version: Served, x: Any) -> Batch:
    call = Call(
        principal=principal("alice", set()), served=version, x=x.astype(version.dtype), body=b"", began_s=0.0, id="1",
        addr="", write=lambda call: b"", done=lambda call: None,
    )  # fmt: skip
    return Batch(version, [call])


def moody() -> Callable[[Any], Answers]:
    """Make a model that ends its process, hangs, fails, or says what it can see, by the first value of a row."""

    def answer(x: Any) -> Answers:
        mood = x[0, 0]
        if mood == 1:
            os._exit(3)
        if mood == 2:
            time.sleep(60)
        if mood == 3:
            raise SubjectFailed("not this row")
        secret = "REDAN_TEST_SECRET" in os.environ
        return Answers(labels=np.full(len(x), int(secret)), scores=np.full((len(x), 2), float(os.getpid())))

    return answer


def moods(version: Served) -> Recipe:
    return moody, ()


@pytest.mark.parametrize("kind", ["sklearn", "onnx"])
def test_a_worker_answers_what_the_server_would_from_the_bytes_that_were_admitted(tmp_path: Path, kind: Kind) -> None:
    settings = served(tmp_path, kind, name="cancer")
    bytes_of = hold(tmp_path / settings.target)
    (tmp_path / settings.target).unlink()
    version = model(kind)

    async def main() -> None:
        crew = Crew(1, lambda one: recipe_of(one, bytes_of), lambda: [version])
        await crew.start()
        try:
            for n in (1, 7):
                batch = batch_of(version, rows()[0][:n])
                got, wanted = await crew(batch), version.answer(batch.x)
                assert got.labels.tolist() == wanted.labels.tolist()
                assert np.allclose(got.scores, wanted.scores)
        finally:
            await crew.stop()

    uvloop.run(main())


def test_a_worker_that_ends_or_hangs_fails_its_batch_alone_and_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_TEST_SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    x = np.zeros((2, 30))

    async def main() -> None:
        version = model()
        crew = Crew(2, moods, lambda: [version], answer_s=4.0)
        await crew.start()
        try:
            first = await crew(batch_of(version, x))
            assert first.labels.tolist() == [0, 0], "a worker sees the server's secrets"
            assert first.scores[0, 0] != os.getpid()
            good = asyncio.gather(*(crew(batch_of(version, x)) for _ in range(5)))
            with pytest.raises(WorkerLost):
                await crew(batch_of(version, x + 1))
            with pytest.raises(SubjectFailed, match="not this row"):
                await crew(batch_of(version, x + 3))
            assert len(await good) == 5
            began = time.monotonic()
            with pytest.raises(WorkerLost):
                await crew(batch_of(version, x + 2))
            assert time.monotonic() - began < 15
            assert crew.lost == 2
            pids = {int((await crew(batch_of(version, x))).scores[0, 0]) for _ in range(3)}
            assert os.getpid() not in pids
            assert {name: value for name, _, value in crew.readings()}["redan_workers"] <= 2
        finally:
            await crew.stop()

    uvloop.run(main())


def test_what_a_worker_says_is_not_believed_beyond_its_form() -> None:
    for head, body in (
        (b"{", b""),
        (b'{"rows": 2}', bytes(8)),
        (b'{"rows": 1, "scores": [1, 99], "dtype": "<f8"}', bytes(16)),
        (b'{"rows": 1, "scores": [9, 1], "dtype": "<f8"}', bytes(8 + 72)),
        (b'{"rows": 1, "scores": [1, 1], "dtype": "O"}', bytes(16)),
        (b'{"rows": 5}', bytes(40)),
    ):
        with pytest.raises(Nonsense):
            answers_of(ANSWER, head, body, 1)
    with pytest.raises(Nonsense):
        sizes(b"a" + b"\xff" * 12)
    assert sizes(packed(ANSWER, Shape(rows=1), bytes(8))[:13])[0] == ANSWER

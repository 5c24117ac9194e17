"""Bodies that grow in the server: a careless one is told from a careful one, over real connections."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from tests.growing_server import growing_server
from tests.unit.threats.evasion.small_images import by_halves, halves, only

from redan.core.errors import Skipped, SubjectFailed
from redan.core.finding import Severity
from redan.core.inputs import Inputs
from redan.kernels.availability.bodies import MOST_SENT_BYTES, bodies
from redan.subjects.http import HttpSubject
from redan.threats.evasion.probes.blow_ups import BlowUps

USUAL = json.dumps({"instances": [[0.5]]}).encode()


def test_every_body_is_bounded_on_both_sides_of_the_wire() -> None:
    for made in (
        bodies(USUAL, sent_bytes=1 << 16, expanded_bytes=1 << 20),
        bodies(USUAL, sent_bytes=1 << 40, expanded_bytes=1 << 22),
    ):
        assert all(len(body.content) <= MOST_SENT_BYTES for body in made)
    by_name = {body.name: body for body in bodies(USUAL, sent_bytes=1 << 16, expanded_bytes=1 << 20)}
    assert len(by_name) == 7
    assert len(gzip.decompress(by_name["gzip"].content)) == 1 << 20
    assert json.loads(gzip.decompress(by_name["gzip"].content)) == json.loads(USUAL)
    assert len(by_name["gzip"].content) < 4096
    with np.load(io.BytesIO(by_name["zipped arrays"].content)) as arrays:
        assert arrays["x"].shape == (1 << 20,)
    assert len(by_name["picture"].content) < 8192


def test_a_server_that_unpacks_everything_is_slow_and_one_that_refuses_is_not() -> None:
    with growing_server(careless=True) as url, closing(HttpSubject(url)) as subject:
        careless = only(BlowUps, subject, Inputs(test=halves(4)), expanded_mib=8, sent_kib=64)
    with growing_server(careless=False) as url, closing(HttpSubject(url)) as subject:
        careful = only(BlowUps, subject, Inputs(test=halves(4)), expanded_mib=8, sent_kib=64)
    slow, quick = careless.quantity("cost_ratio"), careful.quantity("cost_ratio")
    assert slow is not None
    assert quick is not None
    assert slow.low > 3
    assert slow.n == quick.n == 11
    assert "(gzip)" in careless.detail
    assert careless.severity >= Severity.MEDIUM
    assert quick.value < slow.value / 2
    rows = {row[0]: row for row in careful.tables[0].rows}
    assert rows["gzip"][3] == "[413]"
    errors = careless.quantity("server_errors")
    assert errors is not None
    assert errors.value >= 1


def test_what_is_no_endpoint_is_skipped_and_what_refuses_usual_requests_is_said() -> None:
    with pytest.raises(Skipped, match="kind callable"):
        only(BlowUps, by_halves(), Inputs(test=halves(4)))
    large = halves(400)
    wide = replace(large, x=large.x.reshape(1, 1, 240, 240), y=large.y[:1], indices=large.indices[:1])
    with (
        growing_server(careless=False) as url,
        closing(HttpSubject(url)) as subject,
        pytest.raises(SubjectFailed, match="status 413"),
    ):
        only(BlowUps, subject, Inputs(test=wide))

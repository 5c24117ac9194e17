"""Live numbers: rates and quantiles from counters, streams that are bounded, told, and ended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from redan.service.console import feed as feeding
from redan.service.console.feed import MOST_OF_ONE, MOST_STREAMS, Feed, event, quantile
from redan.service.monitoring.recorder import LATENCY_S, Counting, Lane
from redan.service.web.errors import Refused

KEY = frozenset({"*"})


@dataclass
class Health:
    draining: bool = False


@dataclass
class House:
    """What a feed needs of the service: real counters, and whether it is stopping."""

    recorder: Counting = field(default_factory=Counting)
    more: dict[str, Any] = field(default_factory=lambda: {"health": Health()})

    def answer(self, count: int, bucket: int = 3, *, status: int = 200) -> None:
        lane = self.recorder.lanes.setdefault(("m", "1"), Lane())
        lane.status[status] = lane.status.get(status, 0) + count
        if status == 200:
            lane.latency[bucket] += count


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(feeding, "TICK_S", 0.01)
    return House()


def test_a_quantile_is_the_bucket_that_it_lies_in() -> None:
    counts = [0] * (len(LATENCY_S) + 1)
    assert quantile(counts, 0.5) is None
    counts[2], counts[5] = 98, 2
    assert quantile(counts, 0.5) == (LATENCY_S[1], LATENCY_S[2])
    assert quantile(counts, 0.99) == (LATENCY_S[4], LATENCY_S[5])
    counts[-1] = 1000
    assert quantile(counts, 0.99) == (LATENCY_S[-1], float("inf"))


def test_an_event_cannot_be_broken_out_of() -> None:
    assert event("numbers", "a\n\nb: c\r\nevent: end") == b"event: numbers\ndata: a\ndata: b: c\ndata: event: end\n\n"


def test_traffic_is_what_came_since_with_its_interval(house: House) -> None:
    async def main() -> None:
        house.answer(1000)
        feed = Feed(house)  # type: ignore[arg-type]
        feed._sample()
        house.answer(90)
        house.answer(10, status=429)
        await asyncio.sleep(0.02)
        feed._sample()
        (told,) = feed.traffic()
        assert (told.answered, told.refused) == (90, 10)
        value, low, high = told.share
        assert value == 0.1
        assert 0.05 < low < 0.1 < high < 0.18
        assert told.rate_per_s > 100
        assert told.median == (LATENCY_S[2], LATENCY_S[3])

    asyncio.run(main())


async def _yes() -> bool:
    return True


async def _read(feed: Feed, count: int, draw: Any, who: str = "user:a") -> list[bytes]:
    found: list[bytes] = []
    async for piece in feed.stream(who, KEY, draw, _yes):
        found.append(piece)
        if len(found) >= count:
            break
    return found


def test_a_stream_tells_what_changed_and_only_that(house: House) -> None:
    async def main() -> None:
        texts = iter(["one", "one", "two", *["two"] * 50, "three", *["three"] * 1000])
        feed = Feed(house)  # type: ignore[arg-type]
        await feed.start()
        told = await _read(feed, 4, lambda: next(texts))
        assert told == [b"retry: 2000\n\n", *(event("numbers", word) for word in ("one", "two", "three"))]
        await feed.stop()

    asyncio.run(main())


def test_a_quiet_stream_says_that_it_is_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(feeding, "QUIET_S", 0.03)
        feed = Feed(house)  # type: ignore[arg-type]
        await feed.start()
        told = await _read(feed, 4, lambda: "same")
        assert told[2:] == [b": still here\n\n"] * 2
        await feed.stop()

    asyncio.run(main())


def test_streams_end_when_the_gateway_drains_and_after_their_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        feed = Feed(house)  # type: ignore[arg-type]
        await feed.start()
        with monkeypatch.context() as patch:
            patch.setattr(feeding, "LONGEST_S", 0.02)
            assert (await _read(feed, 99, lambda: "same"))[-1] != event("end", "the gateway is stopping")
        reading = asyncio.create_task(_read(feed, 99, lambda: "same"))
        await asyncio.sleep(0.02)
        assert feed.streams.total() == 1
        house.more["health"].draining = True
        assert (await asyncio.wait_for(reading, 5))[-1] == event("end", "the gateway is stopping")
        assert feed.streams.total() == 0
        with pytest.raises(Refused):
            feed.check_room("user:a")
        await feed.stop()

    asyncio.run(main())


def test_streams_are_bounded_for_one_and_for_all_and_are_given_back(house: House) -> None:
    async def main() -> None:
        feed = Feed(house)  # type: ignore[arg-type]
        await feed.start()
        opened = []
        for n in range(MOST_STREAMS):
            stream = feed.stream(f"user:{n // MOST_OF_ONE}", KEY, lambda: "same", _yes)
            await anext(stream)
            opened.append(stream)
        for who in ("user:0", "user:new"):
            with pytest.raises(Refused):
                feed.check_room(who)
            assert [piece async for piece in feed.stream(who, KEY, lambda: "same", _yes)] == []
        for stream in opened:
            await stream.aclose()  # type: ignore[attr-defined]
        assert feed.streams.total() == 0
        feed.check_room("user:0")
        await feed.stop()

    asyncio.run(main())


def test_those_who_see_the_same_share_what_is_drawn(house: House) -> None:
    async def main() -> None:
        drawn = SimpleNamespace(count=0)

        def draw() -> str:
            drawn.count += 1
            return str(drawn.count)

        feed = Feed(house)  # type: ignore[arg-type]
        feed._sample()
        streams = [feed.stream(f"user:{n}", KEY, draw, _yes) for n in range(8)]
        for stream in streams:
            await anext(stream)
            assert await anext(stream) == event("numbers", "1")
            await stream.aclose()  # type: ignore[attr-defined]
        assert drawn.count == 1

    asyncio.run(main())


def test_a_stream_ends_when_who_is_told_may_see_it_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(feeding, "RECHECK_S", 0.02)
        answers = iter([True, True, False])

        async def still() -> bool:
            return next(answers)

        feed = Feed(house)  # type: ignore[arg-type]
        await feed.start()
        assert [piece async for piece in feed.stream("user:a", KEY, lambda: "same", still)][1:] == [
            event("numbers", "same")
        ]
        assert feed.streams.total() == 0
        await feed.stop()

    asyncio.run(main())

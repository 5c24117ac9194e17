"""Our decoder of Zstandard beside the library's: the same bytes for honest streams, never others for broken ones."""

from __future__ import annotations

import pickle
import random

import pytest

from redan.kernels.artifacts import inspect_bytes
from redan.kernels.artifacts.ledger import Ledger
from redan.kernels.artifacts.limits import Limits
from redan.kernels.artifacts.readers.zstd import expand_zstd
from redan.kernels.artifacts.source import Source

zstandard = pytest.importorskip("zstandard")

ROOMY = Limits(expanded_bytes=1 << 40, nodes=1 << 30)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


def expand(data: bytes, limits: Limits = ROOMY) -> tuple[bytes, Ledger]:
    ledger = Ledger(limits)

    def no_sibling(name: str) -> bytes | None:
        raise AssertionError(name)

    source = Source(
        data=data, name="x", where="", depth=0, ledger=ledger, read=lambda inner: inner.name, sibling=no_sibling
    )
    return bytes(expand_zstd(source, data)), ledger


def skewed(n: int) -> bytes:
    return bytes(random.Random(1).choices(range(256), weights=[2 ** -(i / 8) for i in range(256)], k=n))


def words(n: int) -> bytes:
    return b"".join(random.Random(2).choices([b"the ", b"cat ", b"sat ", b"on "], k=n))


CONTENTS = {
    "nothing": b"", "one": b"a", "zeros": bytes(200_000), "pattern": b"abc" * 5_000, "words": words(20_000),
    "skewed": skewed(140_000), "random": random.Random(3).randbytes(3_000),
    "letters": skewed(900).translate(b"ab" * 128),
    "pickle": pickle.dumps([{"a": i, "b": str(i)} for i in range(3_000)]),
    "numbers": b"".join(i.to_bytes(4, "little") for i in range(20_000)),
}  # fmt: skip


@pytest.mark.parametrize("level", [-5, 1, 3, 9, 19, 22])
@pytest.mark.parametrize("name", CONTENTS)
def test_every_level_of_the_library_is_decoded(name, level):
    content = CONTENTS[name]
    for options in ({}, {"write_checksum": True}, {"write_content_size": False}):
        out, ledger = expand(zstandard.ZstdCompressor(level, **options).compress(content))
        assert out == content
        assert ledger.complete


def test_small_random_contents_are_decoded():
    rng = random.Random(4)
    for _ in range(300):
        letters = bytes(rng.choices(range(rng.randint(1, 256)), k=rng.randint(0, 300)))
        content = b"".join(rng.choice([letters[:50], letters[50:90], letters, b"q"]) for _ in range(rng.randint(0, 60)))
        assert expand(zstandard.ZstdCompressor(rng.choice([-3, 1, 3, 10, 19])).compress(content))[0] == content


def test_frames_one_behind_another_and_streamed_ones_are_decoded():
    packer = zstandard.ZstdCompressor(3).compressobj()
    streamed = b"".join(packer.compress(words(n)) for n in (10, 3_000, 7)) + packer.flush()
    whole = zstandard.ZstdCompressor(3).compress(skewed(500))
    assert expand(streamed + whole)[0] == words(10) + words(3_000) + words(7) + skewed(500)


def test_a_damaged_stream_is_refused_or_means_what_it_means_to_the_library():
    rng = random.Random(5)
    streams = [zstandard.ZstdCompressor(n).compress(CONTENTS[c][:9_000]) for n in (1, 19) for c in CONTENTS]
    n_same = 0
    for _ in range(1_500):
        damaged = bytearray(rng.choice(streams))
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(min(len(damaged), 300))] = rng.randrange(256)
        out, ledger = expand(bytes(damaged), Limits())
        try:
            expected = zstandard.ZstdDecompressor().decompressobj().decompress(bytes(damaged))
        except zstandard.ZstdError:
            continue
        if ledger.complete and not ledger.reasons:
            assert out == expected
            n_same += 1
    assert n_same > 20


def test_a_hostile_pickle_in_compressed_blocks_is_found():
    content = pickle.dumps([f"x{i}" for i in range(2_000)]) + BAD
    for level in (1, 19):
        assert inspect_bytes(zstandard.ZstdCompressor(level).compress(content), "m.bin").verdict == "unsafe"
        assert inspect_bytes(zstandard.ZstdCompressor(level).compress(content[: -len(BAD)]), "m.bin").verdict == "safe"


def test_a_bomb_ends_at_the_limit_and_what_came_before_is_read():
    bomb = zstandard.ZstdCompressor(19).compress(BAD + bytes(400 << 20))
    reading = inspect_bytes(bomb, "m.bin")
    assert reading.verdict == "unsafe"
    assert {"limit", "denied-import"} <= {reason.kind for reason in reading.reasons}


def test_a_frame_that_needs_a_dictionary_is_unknown():
    trained = zstandard.train_dictionary(2_000, [words(50 + i) for i in range(200)])
    reading = inspect_bytes(zstandard.ZstdCompressor(3, dict_data=trained).compress(words(300)), "m.bin")
    assert (reading.verdict, reading.reasons[0].kind) == ("unknown", "unread-compression")

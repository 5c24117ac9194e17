"""Seeds: one root seed, keyed by probe and sample, so that order, batch size and parallelism change nothing.

A stream of random numbers belongs to a key, never to a moment: the draw for sample 7 in probe RDN-EVA-001 is the
same whether it is computed first, last, alone or in another process. Global random state is never touched.
"""

from __future__ import annotations

from hashlib import blake2b


def derive(seed: int, *keys: str | int) -> int:
    """Derive a 64-bit seed from a root seed and any number of keys.

    Args:
        seed: root seed of the run; any integer.
        keys: what the draw is for, for example a probe identifier and a sample index.

    Returns:
        An integer in [0, 2**64), uniform over keys (BLAKE2b with an 8-byte digest over an unambiguous encoding).
    """
    # each key carries its length, so that no key can hold another key's text
    text = f"{seed}" + "".join(f"|{type(key).__name__}:{len(str(key))}:{key}" for key in keys)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")

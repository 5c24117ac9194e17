"""FF1, format-preserving encryption with AES: a numeral string becomes another of the same length and alphabet.

Source: NIST SP 800-38G (2016), algorithms 7 and 8, and the lower bound of the domain from revision 1 (draft 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from redan.core.errors import ShapeMismatch, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

LEAST_DOMAIN = 1_000_000
"""Fewest strings of a length and alphabet (radix ** length); fewer can be guessed through (SP 800-38G rev. 1)."""

LONGEST = 4096
"""Most numerals of one string; the standard allows more."""

_ROUNDS = 10
_KEY_BYTES = (16, 24, 32)


class FF1:
    """FF1 under one key and alphabet size."""

    def __init__(self, key: bytes, radix: int) -> None:
        """Prepare the cipher.

        Args:
            key: 16, 24 or 32 bytes for AES.
            radix: size of the alphabet, 2 to 65536.

        Raises:
            UsageError: the key or radix is none of these.
        """
        if len(key) not in _KEY_BYTES:
            raise UsageError(f"an AES key has 16, 24 or 32 bytes, not {len(key)}")
        if not 2 <= radix <= 1 << 16:
            raise UsageError(f"radix {radix} is not between 2 and 65536")
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        # one AES block at a time is what FF1's own CBC-MAC and counter are built from, no text is encrypted this way
        self._aes: CipherContext = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
        self.radix = radix

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Return the encrypted numerals, of the same length.

        Args:
            numerals: values from 0 up to the radix.
            tweak: what the result depends on beside the key; not secret.

        Raises:
            ShapeMismatch: a numeral outside of the alphabet, or too few or too many of them.
        """
        return self._run(numerals, tweak, range(_ROUNDS), forward=True)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Return what was encrypted with the same key and tweak; Raises as `encrypt`."""
        return self._run(numerals, tweak, range(_ROUNDS - 1, -1, -1), forward=False)

    def _run(self, numerals: Sequence[int], tweak: bytes, rounds: range, *, forward: bool) -> list[int]:
        self._fits(numerals)
        length, radix = len(numerals), self.radix
        left = length // 2
        sizes = (left, length - left)
        a, b = _number(numerals[:left], radix), _number(numerals[left:], radix)
        n_bytes = ((radix ** sizes[1] - 1).bit_length() + 7) // 8
        taken = 4 * -(-n_bytes // 4) + 4
        head = self._head(length, left, len(tweak))
        start = tweak + bytes(-(len(tweak) + n_bytes + 1) % 16)
        for turn in rounds:
            known = b if forward else a
            mixed = self._mixed(head, start + bytes([turn]) + known.to_bytes(n_bytes, "big"), taken)
            modulus = radix ** sizes[turn % 2]
            a, b = (b, (a + mixed) % modulus) if forward else ((b - mixed) % modulus, a)
        return [*_numerals(a, sizes[0], radix), *_numerals(b, sizes[1], radix)]

    def _fits(self, numerals: Sequence[int]) -> None:
        if len(numerals) < 2 or len(numerals) > LONGEST or self.radix ** len(numerals) < LEAST_DOMAIN:
            raise ShapeMismatch(
                f"{len(numerals)} numerals of radix {self.radix} make no domain of FF1",
                hint=f"at least {LEAST_DOMAIN:,} different strings and at most {LONGEST:,} numerals",
            )
        if any(not 0 <= numeral < self.radix for numeral in numerals):
            raise ShapeMismatch(f"a numeral lies outside of 0 to {self.radix - 1}")

    def _head(self, length: int, left: int, tweak_bytes: int) -> bytes:
        return (
            b"\x01\x02\x01"
            + self.radix.to_bytes(3, "big")
            + bytes([_ROUNDS, left % 256])
            + length.to_bytes(4, "big")
            + tweak_bytes.to_bytes(4, "big")
        )

    def _mixed(self, head: bytes, rest: bytes, taken: int) -> int:
        """Return the number that a round adds: a CBC-MAC, stretched by a counter."""
        state = self._aes.update(head)
        for place in range(0, len(rest), 16):
            state = self._aes.update(_xor(state, rest[place : place + 16]))
        blocks = [state]
        blocks += [self._aes.update(_xor(state, count.to_bytes(16, "big"))) for count in range(1, -(-taken // 16))]
        return int.from_bytes(b"".join(blocks)[:taken], "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(16, "big")


def _number(numerals: Sequence[int], radix: int) -> int:
    value = 0
    for numeral in numerals:
        value = value * radix + numeral
    return value


def _numerals(value: int, length: int, radix: int) -> list[int]:
    found = [0] * length
    for place in range(length - 1, -1, -1):
        value, found[place] = divmod(value, radix)
    return found

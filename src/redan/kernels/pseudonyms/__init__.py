"""Pseudonyms under a key: format-preserving encryption (FF1) and tokens that only the key can link."""

from redan.kernels.pseudonyms.ff1 import FF1, LEAST_DOMAIN
from redan.kernels.pseudonyms.keys import COLUMN_KEY_BYTES, column_key
from redan.kernels.pseudonyms.preserving import ALPHABETS, Preserving
from redan.kernels.pseudonyms.tokens import one_way, token, value_of

__all__ = [
    "ALPHABETS",
    "COLUMN_KEY_BYTES",
    "FF1",
    "LEAST_DOMAIN",
    "Preserving",
    "column_key",
    "one_way",
    "token",
    "value_of",
]

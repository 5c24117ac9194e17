"""Random values beside telling names: no format gives them away, what stands before them does."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from redan.kernels.secrets.checks import entropy, scrambled

Strength = Literal["password", "token", "key", ""]

STEMS = (
    b"passw",
    b"passphrase",
    b"pwd",
    b"secret",
    b"token",
    b"apikey",
    b"accesskey",
    b"accountkey",
    b"_key",
    b"-key",
    b" key",
    b'"key',
    b"(key",
    b"credential",
    b"auth",
    b"bearer",
    b"_pass",
    b"db_pw",
)
"""Where a telling name may stand, in lower case."""

ASSIGNED = re.compile(
    r"""(?P<name>[\w.\-]{2,90}+(?:[ ](?:key|token|secret|password)\b)?)["'`\])*]{0,4}+[ \t]{0,8}+"""
    r"""(?P<sign>:[ ]?[A-Za-z][\w\[\]|. ]{0,30}?=|:=|=>|->|={1,2}|:|\||>|,|["']?[ ]{1,3}value[ ]?="""
    r"""|\bis\b|[ \t]{1,20}+|(?<=[ \t]))"""
    r"""[ \t*]{0,20}+"""
    r"""(?:\n?[ \t]{0,20}+(?:[A-Za-z_.]{0,30}+\(\s{0,20}+)?+[rbfuRBFU]{0,2}(?P<quote>\\?["'`])"""
    r"""(?P<quoted>[^\n"'`]{4,300}+)(?P=quote)"""
    r"""|(?P<bare>[^\s"'`<>{}()\[\],;|\\&=]{6,300}+={0,2}+)(?P<after>.?))"""
)
BEARER = re.compile(
    r"(?i)(?:bearer|basic|token|authorization)[\"':= ]{1,6}+(?P<value>[A-Za-z0-9._~+/-]{16,2000}+={0,2})"
)
NETRC = re.compile(r"(?i)login[ \t\n]{1,20}+\S{1,100}+[ \t\n]{1,20}+password[ \t\n]{1,20}+(?P<value>\S{4,200})")

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SPELT = re.compile(r"[A-Z]?[a-z]{3,}|[A-Z]{4,}")
_PASSWORDS = ("password", "passwd", "pwd", "passphrase", "passcode", "passw", "pw")
_STRONG = ("secret", "token", "apikey", "accesskey", "secretkey", "credential", "credentials", "creds", "bearer")
# fmt: off
_NOT = frozenset({
    "hash", "digest", "sha", "sha1", "sha256", "sha512", "md5", "checksum", "fingerprint", "etag", "public", "pub",
    "name", "path", "file", "filename", "dir", "folder", "url", "uri", "endpoint", "type", "count", "counts", "len",
    "length", "size", "limit", "max", "min", "num", "n", "vocab", "index", "idx", "special", "pad", "eos", "bos",
    "unk", "sep", "cls", "mask", "field", "column", "col", "label", "arn", "expires", "expiry", "ttl", "version",
    "prefix", "suffix", "header", "headers", "usage", "tokenizer", "tokens", "tokenize", "tokenized", "logits",
    "embedding", "embeddings", "ids", "position", "primary", "foreign", "sort", "cache", "partition", "dict", "row",
    "group", "author", "authors", "authority", "page", "cursor", "next", "policy", "prompt", "hint", "regex",
    "pattern", "format", "error", "message", "msg", "nonce", "etags", "image", "resource", "layer", "metric",
    "param", "class", "commit", "rev", "revision", "build",
})
# fmt: on
_LAST_NOT = frozenset({"id", "env", "var", "ref", "at", "in", "uid", "uuid"})
_PLACEHOLDER = re.compile(
    r"""(?i)your|example|change[-_ ]?(?:me|this|it)|placeholder|dummy|fake|sample|redacted|hidden|masked|removed|insert
    |replace|todo|fixme|xxx|\*\*\*|\.\.\.|…|[<>{}]|\$\(|%\(|^\$|^%|foobar|lorem|^test|not[-_]?(?:set|a[-_])|secret[-_]?key
    |^(?:none|null|true|false|undefined|(?:my|the|some|super|a)?[-_]?(?:pass(?:w[o0]rd|wd|phrase)?|secret|token|admin
    |user|demo|guest|root|qwerty|letmein|welcome|default|abc|key|login|hunter|test|foo|bar|123)+[-_]?\d{0,8}[!?.]?)$
    |(?:os\.|environ|getenv|getpass|config|settings|args|self|secrets|params|options|st|conf|cfg|env|process|userdata)
    [.\[(]""",
    re.VERBOSE,
)
_NAMELIKE = re.compile(r"[A-Za-z]+(?:[_\-.:/ ]+[A-Za-z]+)*[\d.]{0,3}")
_PATHLIKE = re.compile(
    r"(?:[~.]{0,2}/|[A-Za-z]:\\|\w+://).*|[\w.-]+\.(?:json|ya?ml|py|pem|txt|env|csv|key|crt|pt|bin|html?)"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_NUMBER = re.compile(r"[\d.,:eE+\-/]+")


@lru_cache(maxsize=4096)
def strength(name: str) -> Strength:
    """Tell what a name promises: a password, a token, perhaps a key, or nothing secret."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words or words[-1] in _LAST_NOT or not _NOT.isdisjoint(words):
        return ""
    if "pass" in words or any(word.endswith(_PASSWORDS) for word in words):
        return "password"
    if any(word.endswith(_STRONG) for word in words) or ("key" in words and not {"api", "access"}.isdisjoint(words)):
        return "token"
    return "key" if "key" in words or "auth" in words else ""


def is_secret(value: str, promised: Strength) -> bool:
    """Tell whether a value beside such a name is one: random enough, and no placeholder, name, path or number."""
    if not promised or _PLACEHOLDER.search(value) or _NAMELIKE.fullmatch(value) or _PATHLIKE.fullmatch(value):
        return False
    if any(sign.isspace() for sign in value) or _NUMBER.fullmatch(value):
        return False
    if promised == "password":
        return len(value) >= 8 and entropy(value) >= 2.5 and _mixed(value)
    if _UUID.fullmatch(value):
        return promised == "token"
    if promised == "key" and (_HEX.fullmatch(value) or len(value) < 24):
        return False
    most = 12 if promised == "token" and _mixed(value) else 16
    return len(value) >= most and scrambled(value) and entropy(value) >= 3.0 and _dense(value)


def _mixed(value: str) -> bool:
    """Tell whether there are letters and something else that nobody writes in a name."""
    kinds = (str.islower, str.isupper, str.isdigit)
    seen = sum(any(kind(sign) for sign in value) for kind in kinds)
    symbols = any(not sign.isalnum() and sign not in "_-. " for sign in value)
    return seen + symbols >= 2 and not value.isalpha()


def _dense(value: str) -> bool:
    """Tell whether a value is not made of words: ``bert-base-uncased-v2``, ``Token2WavModel``."""
    return sum(len(word) for word in _SPELT.findall(value)) * 2 <= len(value)

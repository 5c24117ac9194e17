"""Tokens that were tampered with, forged or are out of time are refused; others read ours as any JSON Web Token."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from redan.service.identity import tokens
from redan.service.identity.token_keys import jwks, raw
from redan.service.identity.tokens import Claims, Invalid, SigningKey, heads_of, mint, verified

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY = SigningKey(kid="k1", private=PRIVATE)
HEADS = heads_of({"k1": PRIVATE.public_key()})
NOW_S = 1_800_000_000


def claims(**changed: object) -> Claims:
    given = {"iss": "redan", "sub": "client:shop", "aud": "redan", "iat": NOW_S, "exp": NOW_S + 900, "jti": "abc"}
    return Claims(**{**given, **changed})


def check(token: str | bytes, *, now_s: float = NOW_S + 1, kind: tokens.Kind = "at+jwt") -> Claims:
    encoded = token.encode() if isinstance(token, str) else token
    return verified(encoded, kind, HEADS, issuer="redan", now_s=now_s)


def b64(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: bytes, *, header: dict[str, str] | None = None, key: Ed25519PrivateKey = PRIVATE) -> str:
    """Sign any bytes under any header, as somebody with the key could."""
    start = f"{b64(header or {'alg': 'EdDSA', 'kid': 'k1', 'typ': 'at+jwt'})}.{b64(payload)}"
    return f"{start}.{b64(key.sign(start.encode()))}"


PAYLOAD = json.dumps(
    {"iss": "redan", "sub": "client:shop", "aud": "redan", "iat": NOW_S, "exp": NOW_S + 900, "jti": "abc"},
    separators=(",", ":"),
).encode()


def why(token: str | bytes, **given: object) -> str:
    with pytest.raises(Invalid) as error:
        check(token, **given)  # type: ignore[arg-type]
    return error.value.why


def test_what_is_minted_is_verified() -> None:
    made = claims(scope="predict:fraud", key="k", mfa=NOW_S)
    assert check(mint(made, "at+jwt", KEY)) == made


def test_the_attacks_below_start_from_a_token_that_is_good() -> None:
    assert check(signed(PAYLOAD)) == claims()
    assert signed(PAYLOAD) == mint(claims(), "at+jwt", KEY)


def test_no_algorithm_is_refused() -> None:
    for alg in ("none", "None", "NONE", ""):
        token = f"{b64({'alg': alg, 'kid': 'k1', 'typ': 'at+jwt'})}.{b64(PAYLOAD)}."
        assert why(token) == "header"
    assert why(signed(PAYLOAD).rpartition(".")[0] + ".") == "signature"


def test_hmac_with_the_public_key_is_refused() -> None:
    start = f"{b64({'alg': 'HS256', 'kid': 'k1', 'typ': 'at+jwt'})}.{b64(PAYLOAD)}"
    mac = hmac.digest(raw(PRIVATE.public_key()), start.encode(), sha256)
    assert why(f"{start}.{b64(mac)}") == "header"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "EdDSA", "kid": "k2", "typ": "at+jwt"},
        {"alg": "EdDSA", "kid": "../k1", "typ": "at+jwt"},
        {"alg": "EdDSA", "kid": "k1", "typ": "JWT"},
        {"alg": "EdDSA", "kid": "k1"},
        {"alg": "EdDSA", "kid": "k1", "typ": "at+jwt", "jku": "https://example.com/keys"},
        {"alg": "EdDSA", "kid": "k1", "typ": "at+jwt", "crit": "exp"},
        {"alg": "ES256", "kid": "k1", "typ": "at+jwt"},
        {"typ": "at+jwt", "alg": "EdDSA", "kid": "k1"},
    ],
)
def test_any_other_header_is_refused(header: dict[str, str]) -> None:
    assert why(signed(PAYLOAD, header=header)) == "header"


def test_another_key_is_refused() -> None:
    assert why(signed(PAYLOAD, key=OTHER)) == "signature"


def test_a_confirmation_is_no_access_and_the_other_way_round() -> None:
    assert why(mint(claims(), "confirm+jwt", KEY)) == "kind"
    assert why(mint(claims(), "at+jwt", KEY), kind="confirm+jwt") == "kind"


def test_time_is_kept() -> None:
    token = mint(claims(), "at+jwt", KEY)
    assert check(token, now_s=NOW_S + 899.9)
    assert why(token, now_s=NOW_S + 900) == "expired"
    assert check(token, now_s=NOW_S - tokens.SKEW_S)
    assert why(token, now_s=NOW_S - tokens.SKEW_S - 1) == "early"
    assert why(mint(claims(exp=NOW_S + tokens.LONGEST_S + 1), "at+jwt", KEY)) == "expired"
    assert why(mint(claims(iat=NOW_S + 10, exp=NOW_S + 5), "at+jwt", KEY)) == "expired"


@pytest.mark.parametrize("changed", [{"iss": "evil"}, {"aud": "other"}, {"iss": ""}])
def test_another_gateways_token_is_refused(changed: dict[str, object]) -> None:
    assert why(mint(claims(**changed), "at+jwt", KEY)) == "audience"


def test_bytes_before_behind_and_between_are_refused() -> None:
    token = signed(PAYLOAD)
    head, payload, signature = token.split(".")
    for changed in (
        token + "A",
        token + "=",
        token + ".",
        token + "\n",
        " " + token,
        f"{head}.{payload}=.{signature}",
        f"{head}..{signature}",
        f"{head}.{payload}",
        f"{head}.{payload}\n.{signature}",
        f"{head}.{payload}.{signature}.{signature}",
    ):
        with pytest.raises(Invalid):
            check(changed)


def test_another_way_to_write_the_same_base64_is_refused() -> None:
    """The last character of 64 bytes holds four bits that mean nothing; lenient readers take all sixteen values."""
    token = signed(PAYLOAD)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(token[-1])
    assert place % 16 == 0
    for spare in range(1, 16):
        assert why(token[:-1] + alphabet[place + spare]) == "encoding"


def test_claims_that_stand_twice_are_refused_even_when_signed() -> None:
    assert why(signed(PAYLOAD[:-1] + b',"sub":"user:root"}')) == "claims"
    assert why(signed(b'{"sub":"user:root",' + PAYLOAD[1:])) == "claims"


def test_unknown_claims_spaces_and_other_kinds_are_refused_even_when_signed() -> None:
    for payload in (
        PAYLOAD[:-1] + b',"admin":true}',
        PAYLOAD.replace(b",", b", "),
        PAYLOAD.replace(b'"abc"', b"17"),
        PAYLOAD.replace(str(NOW_S + 900).encode(), b"1e99"),
        b"[]",
        b"",
        b"\xff",
    ):
        assert why(signed(payload)) == "claims"


def test_a_guess_is_told_from_what_we_did_sign() -> None:
    with pytest.raises(Invalid) as forged:
        check(signed(PAYLOAD, key=OTHER))
    with pytest.raises(Invalid) as old:
        check(signed(PAYLOAD), now_s=NOW_S + 10_000)
    assert (forged.value.authentic, old.value.authentic) == (False, True)


@given(st.binary(max_size=600))
def test_no_bytes_are_a_token(data: bytes) -> None:
    with pytest.raises(Invalid):
        check(data)


@given(st.data())
def test_a_token_with_any_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = signed(PAYLOAD)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != token[place]))
    with pytest.raises(Invalid):
        check(token[:place] + letter + token[place + 1 :])


def test_another_library_reads_our_tokens_with_our_published_keys() -> None:
    now_s = int(time.time())
    token = mint(claims(iat=now_s, exp=now_s + 60), "at+jwt", KEY)
    (published,) = jwks({"k1": PRIVATE.public_key()})["keys"]
    # the name that every reader knows; RFC 9864 has a newer one, which few do
    with pytest.warns(SecurityWarning, match="9864"):
        read = jwt.decode(token, OKPKey.import_key(published), algorithms=["EdDSA"])
    assert read.header == {"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}
    assert read.claims["sub"] == "client:shop"


def test_a_signing_key_does_not_print_itself() -> None:
    assert repr(KEY) == "SigningKey(k1)"

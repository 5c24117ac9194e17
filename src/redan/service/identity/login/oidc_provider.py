"""An OpenID provider as we see it: what it publishes, where people are sent, and what its ID tokens must hold.

Authorisation code with PKCE, state and nonce. Sources: OpenID Connect Core 1.0, section 3.1; Discovery 1.0; RFC 7636
(PKCE); RFC 9207 (issuer in the answer, against mix-up); RFC 9700 (current practice).
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]  # it ships no types
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]  # it ships no types
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]  # it ships no types
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from redan.core.addresses import keeps_secrets
from redan.core.errors import ConfigError, EvidenceError, SignatureRefused

if TYPE_CHECKING:
    from redan.core.settings_service import Identity

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
BACK = "/login/oidc/back"
ASKED_S = 10.0
KNOWN_S = 3600.0
REFETCH_S = 30.0
RETRY_S = 5.0
LEEWAY_S = 60
MOST_BYTES = 1 << 20
_LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a provider publishes about itself."""

    authorization: str
    token: str
    jwks: str
    end_session: str
    names_itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """Whom a provider vouches for.

    Attributes:
        issuer: the provider.
        subject: who it is, there; unique and never given to another, unlike an address of mail.
        name: what they like to be called; trusted for nothing.
        groups: as the configured claim lists them.
    """

    issuer: str
    subject: str
    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Departure:
    """Somebody on the way to the provider: where to, and what must come back; the secrets stay in a sealed cookie."""

    url: str
    state: str
    nonce: str
    verifier: str


class Provider:
    """A configured provider; its metadata and keys are fetched when needed and kept for an hour."""

    def __init__(self, *, issuer: str, client_id: str, secret: str, origin: str, scope: str, claim: str) -> None:
        self.issuer, self._client_id, self._claim = issuer, client_id, claim
        self._origin, self._redirect = origin.rstrip("/"), origin.rstrip("/") + BACK
        self._lock, self._asking = asyncio.Lock(), asyncio.Lock()
        self._silent_until_s = 0.0
        self._published: tuple[float, Published] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._client = AsyncOAuth2Client(
            client_id=client_id,
            client_secret=secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",  # a method's name
            scope=scope,
            redirect_uri=self._redirect,
            code_challenge_method="S256",
            timeout=ASKED_S,
            follow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [_bounded]},
        )

    async def stop(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def depart(self) -> Departure:
        """Make an address that somebody is sent to.

        Raises:
            EvidenceError: the provider does not answer, or answers what it should not.
        """
        published = await self._metadata()
        verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        url, state = self._client.create_authorization_url(
            published.authorization, state=secrets.token_urlsafe(24), nonce=nonce, code_verifier=verifier
        )
        return Departure(url=url, state=state, nonce=nonce, verifier=verifier)

    async def arrive(self, query: Mapping[str, str], *, state: str, nonce: str, verifier: str) -> Vouched:
        """Judge what somebody brought back, fetch the ID token and judge it.

        Raises:
            SignatureRefused: it does not fit what they were sent with, or the provider refuses or lies.
            EvidenceError: the provider does not answer.
        """
        published = await self._metadata()
        if not hmac.compare_digest(query.get("state", "").encode(), state.encode()):
            raise SignatureRefused("the state is not that of this login")
        named = query.get("iss", "")
        if named != self.issuer and (named or published.names_itself):
            raise SignatureRefused("the answer is of another provider")
        code = query.get("code", "")
        if not code or "error" in query:
            raise SignatureRefused("the provider did not let them in")
        tokens = await self._exchange(published, code, verifier)
        return await self._judged(tokens, nonce)

    async def farewell(self) -> str:
        """Return the address where somebody logs out of the provider too, or an empty string."""
        where = (await self._metadata()).end_session
        if not where:
            return ""
        words = urlencode({"client_id": self._client_id, "post_logout_redirect_uri": f"{self._origin}/login"})
        return f"{where}{'&' if '?' in where else '?'}{words}"

    async def _exchange(self, published: Published, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(ASKED_S):
                found = await self._client.fetch_token(published.token, code=code, code_verifier=verifier)
        except OAuthError as error:
            raise SignatureRefused(f"the provider refuses the code: {error.error}") from error
        except (TimeoutError, OSError, ValueError) as error:
            raise EvidenceError(f"the provider's token endpoint fails: {type(error).__name__}") from error
        except Exception as error:
            raise _unreachable(error) from error
        finally:
            # one client serves everybody: nobody's token may stay in it
            self._client.token = None
        return dict(found)

    async def _judged(self, tokens: Mapping[str, Any], nonce: str) -> Vouched:
        text = tokens.get("id_token")
        if not isinstance(text, str):
            raise SignatureRefused("the provider gave no ID token")
        try:
            token = await self._verified(text)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={"nonce": nonce, "client_id": self._client_id, "access_token": tokens.get("access_token")},
            )
            claims.validate(leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignatureRefused(f"the ID token is refused: {type(error).__name__}") from error
        return self._vouched(claims)

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        subject, groups = claims["sub"], claims.get(self._claim, [])
        if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
            raise SignatureRefused("the ID token names no subject")
        listed = groups if isinstance(groups, list) else [groups]
        return Vouched(
            issuer=self.issuer,
            subject=subject,
            name=str(claims.get("preferred_username") or claims.get("name") or ""),
            groups=tuple(group for group in listed if isinstance(group, str)),
        )

    async def _verified(self, text: str) -> jwt.Token:
        """Verify the signature; a key that is not known yet is asked for, seldom: providers change their keys."""
        try:
            return jwt.decode(text, await self._jwks(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(text, await self._jwks(older_than_s=REFETCH_S), algorithms=ALGORITHMS)

    async def _jwks(self, *, older_than_s: float = KNOWN_S) -> KeySet:
        async with self._lock:
            if self._keys is None or time.monotonic() - self._keys[0] > older_than_s:
                published = await self._metadata()
                try:
                    found = KeySet.import_key_set(await self._get(published.jwks))  # type: ignore[arg-type]  # judged there
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise EvidenceError("the provider publishes no keys that can be read") from error
                self._keys = (time.monotonic(), found)
            return self._keys[1]

    async def _metadata(self) -> Published:
        async with self._asking:
            if self._published is None or time.monotonic() - self._published[0] > KNOWN_S:
                # strangers make us ask, so that a provider that is down is left alone for a while
                if time.monotonic() < self._silent_until_s:
                    raise EvidenceError("the OpenID provider did not answer a moment ago")
                self._silent_until_s = time.monotonic() + RETRY_S
                found = await self._get(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
                self._published = (time.monotonic(), _published(found, self.issuer))
                self._silent_until_s = 0.0
            return self._published[1]

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ASKED_S):
                answer = await self._client.request("GET", url, withhold_token=True)
                answer.raise_for_status()
                found = answer.json()
        except Exception as error:
            raise _unreachable(error) from error
        if not isinstance(found, dict):
            raise EvidenceError("the provider publishes something else than an object")
        return found


def open_provider(settings: Identity) -> Provider:
    """Make a provider of the configuration; nothing is fetched yet.

    Raises:
        ConfigError: there is no origin to come back to, or no client, or the issuer is not HTTPS.
    """
    oidc = settings.oidc
    if not settings.origin:
        raise ConfigError("identity.oidc needs an address to come back to", hint='identity.origin = "https://HOST"')
    if not oidc.client_id:
        raise ConfigError("identity.oidc needs a client_id", hint="register the gateway with the provider")
    if not keeps_secrets(oidc.issuer):
        raise ConfigError(f"identity.oidc.issuer {oidc.issuer!r} is not https://")
    return Provider(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        secret=os.environ.get(oidc.secret_env, ""),
        origin=settings.origin,
        scope=oidc.scope,
        claim=oidc.roles_claim,
    )


def _published(found: Mapping[str, Any], issuer: str) -> Published:
    if found.get("issuer") != issuer:
        raise EvidenceError("the provider calls itself by another name than identity.oidc.issuer")
    where = {name: found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    wrong = next((name for name, url in where.items() if not isinstance(url, str) or not keeps_secrets(url)), None)
    if wrong is not None:
        raise EvidenceError(f"the provider publishes no {wrong} over HTTPS")
    end = found.get("end_session_endpoint")
    return Published(
        authorization=str(where["authorization_endpoint"]),
        token=str(where["token_endpoint"]),
        jwks=str(where["jwks_uri"]),
        end_session=end if isinstance(end, str) and keeps_secrets(end) else "",
        names_itself=found.get("authorization_response_iss_parameter_supported") is True,
    )


async def _bounded(response: Any) -> None:
    """Read an answer whole, whatever its head says of its length."""
    # what was not asked for could be a small body that unpacks into a large one
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ValueError("the provider's answer is packed")
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            raise ValueError("the provider's answer is too large")
    response._content = bytes(body)  # httpx's own place for a body that was read already


def _unreachable(error: Exception) -> EvidenceError:
    return EvidenceError(f"the OpenID provider does not answer as it should: {type(error).__name__}")

"""Tokens of a fixed shape without a prefix: hexadecimal digits mean nothing until `wandb` stands beside them."""

from __future__ import annotations

import re

from redan.core.record import dataclass
from redan.kernels.secrets.checks import scrambled


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A shape and the words beside it that make it a token.

    Attributes:
        kind: slug.
        title: in words.
        pattern: what the whole token looks like.
        words: one of them stands before it, in lower case.
    """

    kind: str
    title: str
    pattern: re.Pattern[str]
    words: tuple[str, ...]


def _shape(kind: str, title: str, pattern: str, *words: str) -> Shape:
    return Shape(kind=kind, title=title, pattern=re.compile(pattern), words=words)


_HEX = "[0-9a-f]"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

SHAPES = (
    _shape("wandb", "Weights & Biases API key", rf"{_HEX}{{40}}", "wandb", "weights & biases", "weights and biases"),
    _shape("kaggle", "Kaggle key", rf"{_HEX}{{32}}", "kaggle", '"username"', "'username'"),
    _shape("aws-secret-key", "AWS secret access key", r"[A-Za-z0-9+/]{40}", "aws", "secretaccess", "secret_access"),
    _shape("cohere", "Cohere API key", r"[A-Za-z0-9]{40}", "cohere", "co_api_key"),
    _shape("mistral", "Mistral API key", r"[A-Za-z0-9]{32}", "mistral"),
    _shape("together", "Together API key", rf"{_HEX}{{64}}", "together"),
    _shape("comet", "Comet API key", r"[A-Za-z0-9]{25}", "comet"),
    _shape("azure-openai", "Azure AI key", rf"{_HEX}{{32}}", "azure", "openai", "ocp-apim", "cognitive"),
    _shape("heroku", "Heroku API key", _UUID, "heroku"),
    _shape("pinecone", "Pinecone API key", _UUID, "pinecone"),
    _shape("twilio", "Twilio auth token", rf"{_HEX}{{32}}", "twilio"),
    _shape("datadog", "Datadog key", rf"{_HEX}{{32}}|{_HEX}{{40}}", "datadog", "dd_a"),
    _shape("assemblyai", "AssemblyAI key", rf"{_HEX}{{32}}", "assemblyai"),
    _shape("deepgram", "Deepgram key", rf"{_HEX}{{40}}", "deepgram"),
    _shape("ai21", "AI21 key", r"[A-Za-z0-9]{32}", "ai21"),
    _shape("clearml", "ClearML secret key", r"[A-Za-z0-9]{40,80}", "clearml", "trains"),
    _shape("qdrant", "Qdrant API key", r"[A-Za-z0-9_-]{40,80}", "qdrant"),
    _shape("weaviate", "Weaviate API key", r"[A-Za-z0-9]{36,44}", "weaviate", "wcs"),
    _shape("cloudflare", "Cloudflare token", r"[A-Za-z0-9_-]{40}", "cloudflare"),
    _shape("roboflow", "Roboflow API key", r"[A-Za-z0-9]{20}", "roboflow"),
    _shape("algolia", "Algolia key", rf"{_HEX}{{32}}", "algolia"),
    _shape("okta", "Okta token", r"00[A-Za-z0-9_-]{40}", "okta"),
    _shape("discord", "Discord client secret", r"[A-Za-z0-9_-]{32}", "discord"),
    _shape("snowflake", "Snowflake password", r"[A-Za-z0-9_-]{24,64}", "snowflake"),
)
RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,80}+(?![A-Za-z0-9+/_-])")
_ASKING = re.compile(r"key|token|login|secret|passw|auth|api[_-]|credential")
_OTHERWISE = re.compile(
    r"commit|sha\d*\b|hash|digest|checksum|\brev|etag|md5|integrity|fingerprint|run[_ ]id|version|blob|model_id"
)


def shape_of(value: str, before: str) -> Shape | None:
    """Return the shape that a run of characters has, given what stands before it, or None.

    Args:
        value: the run.
        before: the text before it, in lower case; heads and neighbours of a cell.
    """
    if not scrambled(value):
        return None
    asked = [found.start() for found in _ASKING.finditer(before)]
    if not asked or _OTHERWISE.search(before, asked[-1]):
        return None
    for shape in SHAPES:
        if any(word in before for word in shape.words) and shape.pattern.fullmatch(value):
            return shape
    return None

"""Model servers and their companions: how each is recognised, where its version and its lists are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from redan.kernels.deployment.exchange import Answer, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """How to recognise one kind of server with requests that change nothing.

    Attributes:
        name: what people call it.
        path: a path whose answer tells it apart.
        mark: pattern that body or ``Server`` header of that answer must hold.
        control: paths that list, configure or run things and should need a credential.
        version_path: where its version is; that of ``path`` when empty.
        version: pattern whose first group is the version.
        runs: paths whose mere presence means that jobs or code can be submitted.
    """

    name: str
    path: str
    mark: str
    control: tuple[str, ...] = ()
    version_path: str = ""
    version: str = ""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A product that answered, with its version where it told one."""

    product: Product
    version: str = ""


_VERSION = r'"?version"?\s*[:=]\s*"v?([0-9]+(?:\.[0-9]+)+)'

PRODUCTS: tuple[Product, ...] = (
    Product(
        name="mlflow",
        path="/api/2.0/mlflow/registered-models/search?max_results=1",
        mark=r'"registered_models"|^\s*\{\s*\}\s*$|RESOURCE_DOES_NOT_EXIST|INVALID_PARAMETER_VALUE',
        control=(
            "/api/2.0/mlflow/registered-models/search?max_results=1",
            "/api/2.0/mlflow/experiments/search?max_results=1",
        ),
        version_path="/version",
        version=r"^\s*\"?([0-9]+(?:\.[0-9]+)+)",
    ),
    Product(
        name="ray",
        path="/api/version",
        mark=r'"ray_version"',
        control=("/api/version", "/api/jobs/", "/nodes?view=summary"),
        version=r'"ray_version"\s*:\s*"([0-9.]+)',
        runs=("/api/jobs/",),
    ),
    Product(
        name="h2o",
        path="/3/About",
        mark=r"AboutV3|H2O",
        control=("/3/About", "/3/Models", "/3/Frames"),
        version=r'Build project version"\s*,\s*"value"\s*:\s*"([0-9.]+)',
        runs=("/3/ImportFiles",),
    ),
    Product(
        name="triton",
        path="/v2",
        mark=r'"name"\s*:\s*"triton"',
        control=("/v2/repository/index",),
        version=_VERSION,
        runs=("/v2/repository/index",),
    ),
    Product(
        name="mlserver",
        path="/v2",
        mark=r'"name"\s*:\s*"mlserver"',
        control=("/v2/repository/index",),
        version=_VERSION,
    ),
    Product(
        name="torchserve",
        path="/api-description",
        mark=r"TorchServe|torchserve",
        control=("/models",),
        version=_VERSION,
        runs=("/models",),
    ),
    Product(name="tensorflow-serving", path="/v1/models/model", mark=r"model_version_status|Servable not found"),
    Product(
        name="bentoml",
        path="/docs.json",
        mark=r"BentoML|bentoml",
        control=("/docs.json",),
        version=r'x-bentoml-version"\s*:\s*"([0-9.]+)',
    ),
    Product(
        name="jupyter",
        path="/api",
        mark=r'^\s*\{\s*"version"\s*:\s*"[0-9.]+"\s*\}',
        control=("/api/kernels", "/api/contents"),
        version=_VERSION,
        runs=("/api/kernels", "/api/terminals"),
    ),
    Product(name="gradio", path="/config", mark=r'"gradio_|"components"', control=("/config",), version=_VERSION),
    Product(name="streamlit", path="/_stcore/health", mark=r"^ok\s*$", control=()),
    Product(
        name="text-generation-inference",
        path="/info",
        mark=r'"model_id"',
        control=("/info",),
        version=_VERSION,
    ),
    Product(name="openai-compatible", path="/v1/models", mark=r'"object"\s*:\s*"list"', control=("/v1/models",)),
    Product(name="vllm", path="/version", mark=r'^\s*\{\s*"version"', control=("/v1/models",), version=_VERSION),
    Product(
        name="ollama",
        path="/api/tags",
        mark=r'"models"',
        control=("/api/tags", "/api/ps"),
        version_path="/api/version",
        version=_VERSION,
    ),
    Product(
        name="open-webui",
        path="/api/config",
        mark=r"Open WebUI",
        control=(),
        version=_VERSION,
    ),
    Product(name="prometheus", path="/api/v1/status/buildinfo", mark=r'"goVersion"', control=("/api/v1/targets",)),
    Product(name="grafana", path="/api/health", mark=r'"database"\s*:\s*"ok"', control=("/api/org",), version=_VERSION),
    Product(name="weaviate", path="/v1/meta", mark=r'"modules"', control=("/v1/schema",), version=_VERSION),
    Product(name="qdrant", path="/", mark=r"qdrant", control=("/collections",), version=_VERSION),
    Product(name="chroma", path="/api/v2/heartbeat", mark=r"nanosecond heartbeat", control=("/api/v2/version",)),
    Product(name="minio", path="/minio/health/live", mark=r"MinIO", control=()),
)


def recognise(ask: Callable[[Request], Answer | None]) -> tuple[Recognised, ...]:
    """Ask for each product's telling path and return those whose mark was seen."""
    answers: dict[str, Answer | None] = {}

    def get(path: str) -> Answer | None:
        if path not in answers:
            answers[path] = ask(Request(path=path))
        return answers[path]

    found = []
    for product in PRODUCTS:
        answer = get(product.path)
        if answer is None or answer.status >= 500 or not _marked(product, answer):
            continue
        told = get(product.version_path) if product.version_path else answer
        found.append(Recognised(product=product, version=_version(product, told)))
    return tuple(found)


def _marked(product: Product, answer: Answer) -> bool:
    if not answer.ok and answer.status != 404:
        return False
    text = f"{answer.text[:65536]}"
    if re.search(product.mark, text):
        return True
    return bool(re.search(product.mark, answer.headers.get("server", "")))


def _version(product: Product, answer: Answer | None) -> str:
    if answer is None or not answer.ok or not product.version:
        return ""
    match = re.search(product.version, answer.text[:65536])
    return match.group(1).strip(".") if match else ""

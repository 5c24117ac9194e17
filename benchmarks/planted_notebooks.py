"""Synthetic notebooks with and without secrets; every token is valid by its format and belongs to nobody.

Three variants: ``a`` plants tokens the plain way; ``b`` uses other names, other sentences, split literals, escapes,
tracebacks and data frames; ``c`` was written after the engine was mended on ``a`` and ``b``, to show what it does on
what it was not mended for (FIRST_RUN).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import random
import string
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PLACES = ("code", "output", "markdown", "html")


@dataclass(frozen=True)
class Planted:
    """A notebook, and what was planted in it (empty for benign ones)."""

    name: str
    kind: str
    place: str
    value: str
    document: dict[str, Any]


def hexa(r: random.Random, n: int) -> str:
    return "".join(r.choices("0123456789abcdef", k=n))


def alnum(r: random.Random, n: int) -> str:
    return "".join(r.choices(string.ascii_letters + string.digits, k=n))


def word64(r: random.Random, n: int) -> str:
    return "".join(r.choices(string.ascii_letters + string.digits + "-_", k=n - 1)) + r.choice(string.ascii_letters)


def crc62(r: random.Random, prefix: str) -> str:
    body, number, digits = alnum(r, 30), 0, ""
    number = zlib.crc32(body.encode())
    while number:
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return prefix + body + digits.rjust(6, "0")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(r: random.Random) -> str:
    claims = json.dumps({"sub": hexa(r, 12), "iat": r.randrange(10**9, 2 * 10**9)}).encode()
    return f"{b64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{b64(claims)}.{b64(r.randbytes(32))}"


def neptune(r: random.Random) -> str:
    table = {"api_address": "https://app.neptune.ai", "api_url": "https://app.neptune.ai", "api_key": str(uid(r))}
    return base64.b64encode(json.dumps(table).encode()).decode()


def uid(r: random.Random) -> uuid.UUID:
    return uuid.UUID(int=r.getrandbits(128), version=4)


def pypi(r: random.Random) -> str:
    return "pypi-" + b64(b"\x02\x01\x08pypi.org\x02$" + str(uid(r)).encode() + b"\x00\x00\x06 " + r.randbytes(60))


def openai(r: random.Random) -> str:
    return f"sk-{alnum(r, 20)}T3BlbkFJ{alnum(r, 20)}"


def pem(r: random.Random) -> str:
    body = base64.b64encode(r.randbytes(600)).decode()
    lines = "\n".join(body[k : k + 64] for k in range(0, len(body), 64))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


def password(r: random.Random) -> str:
    return alnum(r, 5) + r.choice("!#%*+") + alnum(r, 5) + str(r.randrange(10, 99))


def aws(r: random.Random) -> str:
    return "AKIA" + "".join(r.choices(string.ascii_uppercase + "234567", k=16))


def aws_secret(r: random.Random) -> str:
    return "".join(r.choices(string.ascii_letters + string.digits + "+/", k=40))


KINDS: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "github": ("GITHUB_TOKEN", lambda r: crc62(r, "ghp_")),
    "npm": ("NPM_TOKEN", lambda r: crc62(r, "npm_")),
    "pypi": ("PYPI_TOKEN", pypi),
    "huggingface": ("HF_TOKEN", lambda r: "hf_" + "".join(r.choices(string.ascii_letters, k=34))),
    "openai": ("OPENAI_API_KEY", openai),
    "openai-project": ("OPENAI_API_KEY", lambda r: f"sk-proj-{word64(r, 74)}T3BlbkFJ{word64(r, 74)}"),
    "anthropic": ("ANTHROPIC_API_KEY", lambda r: f"sk-ant-api03-{word64(r, 93)}AA"),
    "wandb": ("WANDB_API_KEY", lambda r: hexa(r, 40)),
    "kaggle": ("KAGGLE_KEY", lambda r: hexa(r, 32)),
    "databricks": ("DATABRICKS_TOKEN", lambda r: "dapi" + hexa(r, 32)),
    "replicate": ("REPLICATE_API_TOKEN", lambda r: "r8_" + alnum(r, 37)),
    "groq": ("GROQ_API_KEY", lambda r: "gsk_" + alnum(r, 52)),
    "cohere": ("COHERE_API_KEY", lambda r: alnum(r, 40)),
    "mistral": ("MISTRAL_API_KEY", lambda r: alnum(r, 32)),
    "comet": ("COMET_API_KEY", lambda r: alnum(r, 25)),
    "neptune": ("NEPTUNE_API_TOKEN", neptune),
    "langsmith": ("LANGSMITH_API_KEY", lambda r: f"lsv2_pt_{hexa(r, 32)}_{hexa(r, 10)}"),
    "pinecone": ("PINECONE_API_KEY", lambda r: str(uid(r))),
    "aws": ("AWS_ACCESS_KEY_ID", aws),
    "aws-secret": ("AWS_SECRET_ACCESS_KEY", aws_secret),
    "gcp": ("GOOGLE_API_KEY", lambda r: "AIza" + word64(r, 35)),
    "azure-storage": ("AZURE_STORAGE_KEY", lambda r: base64.b64encode(r.randbytes(64)).decode()),
    "azure-openai": ("AZURE_OPENAI_API_KEY", lambda r: hexa(r, 32)),
    "slack": (
        "SLACK_BOT_TOKEN",
        lambda r: f"xoxb-{r.randrange(10**11, 10**12)}-{r.randrange(10**12, 10**13)}-{alnum(r, 24)}",
    ),
    "stripe": ("STRIPE_SECRET_KEY", lambda r: "sk_live_" + alnum(r, 24)),
    "sendgrid": ("SENDGRID_API_KEY", lambda r: f"SG.{word64(r, 22)}.{word64(r, 43)}"),
    "telegram": ("TELEGRAM_TOKEN", lambda r: f"{r.randrange(10**8, 10**10)}:AA{word64(r, 33)}"),
    "gitlab": ("GITLAB_TOKEN", lambda r: "glpat-" + word64(r, 20)),
    "docker": ("DOCKER_PAT", lambda r: "dckr_pat_" + word64(r, 27)),
    "digitalocean": ("DIGITALOCEAN_TOKEN", lambda r: "dop_v1_" + hexa(r, 64)),
    "vault": ("VAULT_TOKEN", lambda r: "hvs." + word64(r, 90)),
    "jwt": ("AUTH_TOKEN", jwt),
    "pem": ("PRIVATE_KEY", pem),
    "database": ("DATABASE_URL", lambda r: f"postgresql://trainer:{alnum(r, 14)}@db.internal:5432/features"),
    "password": ("DB_PASSWORD", password),
}


def plain(kind: str, place: str, r: random.Random) -> tuple[str, str]:
    """Variant a: the value, and the text of the place that holds it."""
    name, make = KINDS[kind]
    value = make(r)
    if place == "code":
        return value, r.choice(
            [
                f"{name} = {value!r}\n",
                f'import os\nos.environ["{name}"] = {value!r}\n',
                f"client = Client({name.lower()}={value!r})\n",
            ]
        )
    if place == "output":
        return value, r.choice([f"{name}={value}\n", f"{{'{name.lower()}': {value!r}}}\n", f"export {name}={value}\n"])
    if place == "markdown":
        return value, r.choice(
            [
                f"Use `{name}` = `{value}` for now.\n",
                f"**{name}**: `{value}`\n",
                f"| name | value |\n|---|---|\n| {name} | {value} |\n",
            ]
        )
    return (
        value,
        f'<table border="1"><tr><th>name</th><th>value</th></tr><tr><td>{name}</td><td>{html.escape(value)}</td></tr></table>',  # noqa: E501  # one piece of markup
    )


def other(kind: str, place: str, r: random.Random) -> tuple[str, str]:
    """Variant b: other names and embeddings."""
    name, make = KINDS[kind]
    value = make(r)
    prefix = name.lower().rpartition("_")[0]
    if place == "code":
        cut = r.randrange(4, 12)
        return value, r.choice(
            [
                f"cfg = {{\n  'user': 'me',\n  {name.lower()!r}: {value!r},\n}}\n",
                f"{prefix}_api_key = (\n    {value[:cut]!r}\n    {value[cut:]!r}\n)\n",
                f"{prefix}_secret_token = {value[:cut]!r} + {value[cut:]!r}\n",
                f"!{prefix} login --api-key {json.dumps(value)}\n",
                f"headers = {{'X-{prefix}-Api-Key': {value!r}}}\n",
            ]
        )
    if place == "output":
        return value, r.choice(
            [
                f"\x1b[0;32m      3\x1b[0m {prefix}_api_key \x1b[38;5;241m=\x1b[39m \x1b[33m{value!r}\x1b[39m\n",
                json.dumps({"service": prefix, "credentials": {f"{prefix}_api_key": value}}, indent=1) + "\n",
                f"DEBUG config loaded: {prefix} api_key={value}, region=eu\n",
                f"{prefix}_api_key: {json.dumps(value)}\nretries: 3\n",
            ]
        )
    if place == "markdown":
        return value, r.choice(
            [
                f"My {prefix} API key is `{value}` - do not share!\n",
                f"1. log in to {prefix}\n2. paste this token: {value}\n",
                f"```bash\nexport {name}={json.dumps(value)}\n```\n",
                f"{prefix} token: <code>{html.escape(value)}</code>\n",
            ]
        )
    rows = "".join(
        f"<tr><th>{k}</th><td>run{k}</td><td>{v}</td></tr>" for k, v in enumerate(["", html.escape(value), ""])
    )
    return value, (
        f'<div><style scoped>.dataframe tbody tr th {{ vertical-align: top; }}</style><table class="dataframe"><thead>'
        f"<tr><th></th><th>job</th><th>{prefix}_api_key</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def unseen(kind: str, place: str, r: random.Random) -> tuple[str, str]:
    """Variant c: YAML, printed frames, CSV, highlighted code, attributes and addresses."""
    name, make = KINDS[kind]
    value = make(r)
    who = name.lower().rpartition("_")[0]
    line = value.replace("\n", "\\n")
    if place == "code":
        return value, r.choice(
            [
                f"self.{who}_token: str = {value!r}  # TODO move\n",
                f'if not args.{who}_api_key:\n    args.{who}_api_key = f"{line}"\n',
                f'os.environ.setdefault("{who.upper()}_API_TOKEN", {value!r})\n',
                f"%env {who.upper()}_API_KEY={line}\n",
                f'run(model="m", {who}_access_token={value!r}, retries=3)\n',
            ]
        )
    if place == "output":
        return value, r.choice(
            [
                f"service:\n  name: {who}\n  {who}_api_key: {line}\n  region: eu\n",
                f"        job  {who}_api_key\n0  train {line}\n",
                f"[('{who}_token', {value!r}), ('debug', False)]\n",
                f"curl -H 'Authorization: Bearer {line}' https://api.{who}.com/v1/{who}_token\n",
            ]
        )
    if place == "markdown":
        return value, r.choice(
            [
                f"| service | api_key |\n|:--|:--|\n| {who} | {line} |\n",
                f"> {who} secret = {line}\n",
                f"- **{who} access token**: {line}\n",
                f'```python\n{who}_client = Client(token="{line}")\n```\n',
            ]
        )
    shown_value = html.escape(value)
    return value, r.choice(
        [
            f"<pre><span class='n'>{who}_api_key</span> <span class='o'>=</span> <span class='s'>&#39;{shown_value}&#39;</span></pre>",  # noqa: E501  # one piece of markup
            f"<table><tbody><tr><td><b>{who}_api_key</b></td><td><code>{shown_value}</code></td></tr></tbody></table>",
            f'<form><input name="{who}_token" type="hidden" value="{shown_value}"/></form>',
            f"<table><tr><th>{who}_secret</th><th>owner</th><th>n</th></tr><tr><td>{shown_value}</td><td>me</td><td>1</td></tr></table>",
        ]
    )


def code(text: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": "c0ffee",
        "metadata": {},
        "outputs": list(outputs),
        "source": text.splitlines(keepends=True),
    }


def stream(text: str) -> dict[str, Any]:
    return {"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}


def shown(**data: str) -> dict[str, Any]:
    return {"data": {k.replace("_", "/"): v for k, v in data.items()}, "metadata": {}, "output_type": "display_data"}


def markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "beef", "metadata": {}, "source": text.splitlines(keepends=True)}


def harmless(r: random.Random) -> list[dict[str, Any]]:
    """Cells that look dangerous and are not; a few of them, drawn anew each time."""
    sha, tag, lock = hexa(r, 40), hexa(r, 32), base64.b64encode(r.randbytes(64)).decode()
    every = [
        code("import torch\nmodel = torch.nn.Linear(4, 2)\n", stream("Linear(in_features=4, out_features=2)\n")),
        code("!git rev-parse HEAD\n", stream(f"{sha}\n")),
        code(f'commit = "{sha}"\nassert repo.head.sha == "{sha}"\n'),
        code(
            "r.headers\n",
            stream(f"{{'ETag': '\"{tag}\"', 'x-request-id': '{uid(r)}', 'Content-MD5': '{lock[:24]}'}}\n"),
        ),
        code("plt.plot(x)\n", shown(image_png=base64.b64encode(r.randbytes(3000)).decode())),
        code('password = "changeme"\napi_key = "YOUR_API_KEY"\ntoken = os.environ["HF_TOKEN"]\n'),
        code('wandb.login(key="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")\nsecret = "<your secret>"\n'),
        code(
            'tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")\nmax_tokens = 4096\npad_token = "[PAD]"\n'
        ),
        code("w.tobytes().hex()\n", stream(f"{r.randbytes(300).hex()}\n")),
        code("base64.b64encode(w)\n", stream(base64.b64encode(r.randbytes(400)).decode() + "\n")),
        code(
            "run.id\n",
            stream(f"wandb: Run {hexa(r, 8)} at https://wandb.ai/me/p/runs/{hexa(r, 8)}\nrun_uuid={uid(r)}\n"),
        ),
        code("dataset.info\n", stream(f"fingerprint: {hexa(r, 16)}\nsha256: {hexa(r, 64)}\nchecksum={hexa(r, 64)}\n")),
        code(
            "model.config\n",
            stream(f'{{"_commit_hash": "{sha}", "bos_token_id": 1, "model_key": "layer.{r.randrange(99)}.weight"}}\n'),
        ),
        code('db = "postgresql://user:password@localhost/db"\nkey = jax.random.PRNGKey(42)\n'),
        code(
            "df\n",
            shown(
                text_html=f"<table><tr><th></th><th>user_id</th><th>sha1</th></tr><tr><td>0</td><td>{uid(r)}</td><td>{sha}</td></tr></table>"
            ),
        ),
        markdown(f"See `pip install x --hash=sha256:{hexa(r, 64)}` and the paper, doi:10.1000/xyz.\n"),
        markdown(
            f'"integrity": "sha512-{lock}"\n\n![plot](data:image/png;base64,{base64.b64encode(r.randbytes(900)).decode()})\n'  # noqa: E501  # one piece of markup
        ),
        markdown(f"Set your token: `export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxx`. Image `sha256:{hexa(r, 64)}`.\n"),
        code(
            "cache_key = hashlib.sha1(x).hexdigest()\nprint(cache_key)\n",
            stream(f"cache_key: {hexa(r, 40)}\nsignature={tag}\n"),
        ),
        code(
            "torch.hub.load_state_dict_from_url(url)\n",
            stream(f"Downloading resnet50-{hexa(r, 8)}.pth to /root/.cache/{tag}\n"),
        ),
    ]
    return r.sample(every, 6)


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def placed(place: str, text: str) -> dict[str, Any]:
    if place == "code":
        return code(text)
    if place == "markdown":
        return markdown(text)
    return code("show()\n", stream(text) if place == "output" else shown(text_html=text, text_plain="<IPython.core>"))


def planted(seed: int, variant: str) -> list[Planted]:
    """Return one notebook for every kind and place, and a hundred benign ones."""
    embed = {"a": plain, "b": other, "c": unseen}[variant]
    found = []
    for kind in KINDS:
        for place in PLACES:
            r = random.Random(int(hashlib.sha256(f"{seed} {variant} {kind} {place}".encode()).hexdigest(), 16))
            value, text = embed(kind, place, r)
            cells = harmless(r)
            cells.insert(r.randrange(len(cells) + 1), placed(place, text))
            found.append(Planted(f"{kind}-{place}", kind, place, value, notebook(cells)))
    for k in range(100):
        r = random.Random(seed * 1000 + k)
        found.append(Planted(f"benign-{k}", "", "", "", notebook(harmless(r))))
    return found

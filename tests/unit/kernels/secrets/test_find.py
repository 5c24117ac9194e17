"""Secrets are found by format, shape, address and name; what only looks like one is not."""

from __future__ import annotations

import base64
import importlib.util
import json
import random
import string
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from redan.kernels.notebooks import parse
from redan.kernels.secrets import find, masked
from redan.kernels.secrets.checks import base62_crc32, entropy, random_like

ROOT = Path(__file__).resolve().parents[4]
R = random.Random(11)
GITHUB = "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"  # a token of documentation; its checksum is right


def hexa(n: int) -> str:
    return "".join(R.choices("0123456789abcdef", k=n))


def alnum(n: int) -> str:
    return "".join(R.choices(string.ascii_letters + string.digits, k=n))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"t = '{GITHUB}'", "github"),
        (f'wandb.login(key="{hexa(40)}")', "wandb"),
        (f"WANDB_API_KEY={hexa(40)}", "wandb"),
        (f"machine api.wandb.ai\n login user\n password {hexa(40)}", "wandb"),
        (f"aws_secret_access_key = '{alnum(40)}'", "aws-secret-key"),
        (f'{{"username":"joe","key":"{hexa(32)}"}}', "kaggle"),
        (f"postgresql://bob:{alnum(12)}@db:5432/x", "database-url"),
        (f"pip install --index-url https://me:{alnum(20)}@pypi.corp/simple x", "url-password"),
        ('password = "Tr0ub4dor&3x"', "credential"),
        (f"export MY_SERVICE_TOKEN={alnum(32)}", "credential"),
        (f"//registry.corp/:_authToken={alnum(36)}", "credential"),
        (f"Authorization: Bearer {alnum(40)}", "credential"),
        (f"tool --api-key {alnum(30)}", "credential"),
        ("| password | Zx9!kkq2Lm |", "credential"),
        (f"AccountName=x;AccountKey={base64.b64encode(R.randbytes(64)).decode()};", "azure-storage"),
        (f'x = "hf_" + "{"".join(R.choices(string.ascii_letters, k=34))}"', "huggingface"),
        (f"&quot;glpat-{alnum(20)}&quot;", "gitlab"),
        ("\\u0067hp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", "github"),
        (f"data: {base64.b64encode(GITHUB.encode()).decode()}", "github"),
        (f"AKIA{''.join(R.choices(string.ascii_uppercase + '234567', k=16))}", "aws-access-key"),
    ],
)
def test_each_kind_of_place_is_looked_into(text: str, kind: str) -> None:
    assert [secret.kind for secret in find(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme"',
        'api_key = "YOUR_API_KEY"',
        'token = os.environ["HF_TOKEN"]',
        "token: ${{ secrets.GITHUB_TOKEN }}",
        'secret = "<your secret here>"',
        "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7EXAMPLE",
        "postgresql://user:password@localhost/db",
        f"commit {hexa(40)}",
        f"wandb: synced commit {hexa(40)}",
        f"sha256:{hexa(64)}",
        f'"integrity": "sha512-{base64.b64encode(R.randbytes(64)).decode()}"',
        f"ETag: '{hexa(32)}'",
        "id = '7b8ed411-fa64-4d35-9b41-d94e5efaf89f'",
        'tokenizer = "bert-base-uncased-v2"',
        "max_new_tokens=1024, pad_token='[PAD]', eos_token_id=50256",
        f"cache_key = '{hexa(40)}'",
        f"password_hash = '{hexa(64)}'",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        'getpass("Enter your password: ")',
        "from transformers import Token2WavModel as token_2_wav",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert find(text) == []


def test_places_are_those_of_the_original_text() -> None:
    text = 'a = "x"\nt = "ghp_zQWBuTSOoRi4A9sp" + "HcVY5ncnsDkxkJ0mLq17"  # old\n'
    (secret,) = find(text)
    assert secret.value == GITHUB
    assert text[secret.start : secret.end] == 'ghp_zQWBuTSOoRi4A9sp" + "HcVY5ncnsDkxkJ0mLq17'


def test_a_checksum_makes_sure_and_a_wrong_one_makes_doubtful() -> None:
    wrong = GITHUB[:-1] + "8"
    assert base62_crc32(GITHUB)
    assert not base62_crc32(wrong)
    assert [find(text)[0].confidence for text in (GITHUB, wrong)] == ["confirmed", "possible"]


def test_pictures_are_passed_over() -> None:
    assert find(GITHUB, media_type="image/png") == []
    assert len(find(GITHUB, media_type="image/svg+xml")) == 1


def test_the_name_of_a_json_value_makes_it_a_password() -> None:
    assert [s.kind for s in find("Zx9!kkq2Lm", name="password")] == ["credential"]
    assert find("Zx9!kkq2Lm", name="title") == []


def test_a_preview_gives_no_secret_away() -> None:
    assert masked(GITHUB) == "ghp_z…17 (40 chars)"
    assert masked("Zx9!kkq2Lm") == "Z… (10 chars)"


def test_randomness_is_measured() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert not random_like("abcdefghijkl")
    assert random_like("q8Zt1LmV0xP4")


HOSTILE = (
    "password",
    "pwd=",
    "password='",
    "secret 'a",
    "eyJ.",
    "sk-",
    "://a:",
    "://a:b@",
    "-----BEGIN PRIVATE KEY-----",
    '" + "',
    "&amp;",
    "\\u0041",
    "<td>",
    "|a",
    "SG.",
    "a.",
    "token | key\n",
    "key token\n",
    "=a" * 40 + " ",
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    def cpu_s(length: int) -> float:
        text = unit * (length // len(unit))
        before = time.process_time()
        find(text)
        return time.process_time() - before

    find(unit)
    # ten times the text; quadratic time would be a hundred times as much
    assert cpu_s(200_000) < 25 * max(cpu_s(20_000), 0.004)


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("variant", ["a", "b", "c"])
def test_at_least_98_of_100_planted_are_found_and_no_more_than_2_of_100_benign_are_flagged(variant: str) -> None:
    notebooks = benchmark("planted_notebooks").planted(97, variant)
    missed, flagged = [], []
    for each in notebooks:
        parts = parse(json.dumps(each.document)).parts()
        values = [s.value for p in parts for s in find(p.text, media_type=p.media_type, name=p.name)]
        if each.kind and not any(v in each.value or each.value in v for v in values):
            missed.append(each.name)
        if not each.kind and values:
            flagged.append((each.name, values))
    planted = sum(bool(each.kind) for each in notebooks)
    assert planted >= 100
    assert len(missed) <= 0.02 * planted, missed
    assert len(flagged) <= 0.02 * (len(notebooks) - planted), flagged

"""Token formats that give themselves away: prefix, alphabet, length, and a checksum where the format has one.

Facts are from the providers' own documentation. Each pattern begins with literal text and repeats within a bound, so
that matching takes time in proportion to the text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

from redan.core.record import dataclass
from redan.kernels.secrets import checks

Check = Callable[[str], bool]

_A = "[A-Za-z0-9]"
_W = "[A-Za-z0-9_-]"
_H = "[0-9a-f]"
_B = "[A-Za-z0-9+/]"
_UUID = rf"{_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        kind: slug.
        title: in words.
        pattern: what it looks like.
        check: what can be checked; a token that fails it is still ``possible`` unless the check is ``strict``.
        strict: without the check it is no token.
    """

    kind: str
    title: str
    pattern: str
    check: Check | None = None
    strict: bool = False


_MODELS: tuple[tuple[str, str, str], ...] = (
    ("anthropic", "Anthropic API key", rf"sk-ant-[a-z0-9]{{2,10}}-{_W}{{60,160}}"),
    ("openrouter", "OpenRouter key", rf"sk-or-v1-{_H}{{64}}"),
    ("langfuse", "Langfuse key", rf"(?:sk|pk)-lf-{_UUID}"),
    ("openai", "OpenAI project key", rf"sk-(?:proj|svcacct|admin|None)-{_W}{{40,200}}"),
    ("openai", "OpenAI API key", rf"sk-{_A}{{20}}T3BlbkFJ{_A}{{20}}"),
    ("openai", "OpenAI or compatible API key", rf"sk-{_A}{{48}}"),
    ("deepseek", "DeepSeek or compatible API key", rf"sk-{_H}{{32}}"),
    ("elevenlabs", "ElevenLabs API key", rf"sk_{_H}{{48}}"),
    ("huggingface", "Hugging Face token", rf"hf_{_A}{{30,45}}"),
    ("huggingface", "Hugging Face organisation token", rf"api_org_{_A}{{34}}"),
    ("replicate", "Replicate token", rf"r8_{_A}{{37,40}}"),
    ("groq", "Groq API key", rf"gsk_{_A}{{50,56}}"),
    ("xai", "xAI API key", rf"xai-{_A}{{70,90}}"),
    ("perplexity", "Perplexity API key", rf"pplx-{_A}{{40,60}}"),
    ("nvidia", "NVIDIA API key", rf"nvapi-{_W}{{60,80}}"),
    ("cerebras", "Cerebras API key", r"csk-[a-z0-9]{40,60}"),
    ("voyage", "Voyage API key", rf"(?:pa|al)-{_W}{{43}}"),
    ("fireworks", "Fireworks API key", rf"fw_{_A}{{22,40}}"),
    ("together", "Together API key", rf"tgp_v1_{_W}{{40,60}}"),
    ("tavily", "Tavily API key", rf"tvly-(?:dev-|prod-)?{_A}{{30,50}}"),
    ("pinecone", "Pinecone API key", rf"pcsk_{_A}{{5,8}}_{_A}{{50,70}}"),
    ("langsmith", "LangSmith key", rf"lsv2_(?:pt|sk)_{_H}{{32}}_{_H}{{10}}"),
    ("langsmith", "LangSmith key", rf"ls__{_H}{{32}}"),
    ("wandb", "Weights & Biases API key", rf"wandb_v1_{_W}{{40,120}}"),
    ("jina", "Jina API key", rf"jina_{_H}{{32}}{_W}{{20,40}}"),
    ("runpod", "RunPod API key", rf"rpa_[A-Z0-9]{{30,50}}{_A}{{0,10}}"),
    ("databricks", "Databricks token", rf"dapi{_H}{{32}}(?:-\d{{1,2}})?"),
    ("clearml", "ClearML key", rf"CLEARML_API_SECRET_KEY={_A}{{40,80}}"),
    ("kaggle", "Kaggle token", rf"KGAT_{_H}{{32}}"),
)
_CLOUDS = (
    ("aws-access-key", "AWS access key id", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    ("aws-bedrock", "Amazon Bedrock key", rf"ABSK{_B}{{100,200}}={{0,2}}"),
    ("google-api-key", "Google API key", rf"AIza{_W}{{35}}"),
    ("google-oauth-secret", "Google OAuth client secret", rf"GOCSPX-{_W}{{28}}"),
    ("google-oauth-token", "Google OAuth token", rf"ya29\.{_W}{{60,400}}"),
    ("azure-storage", "Azure storage account key", rf"AccountKey={_B}{{86}}=="),
    ("azure-sas", "Azure shared access signature", rf"sig={_B[:-1]}%]{{43,90}}(?:%3D|=)"),
    ("azure-openai", "Azure OpenAI key", rf"{_A}{{52}}JQQJ99{_A}{{10,14}}ACOG{_A}{{4}}"),
    ("azure-client-secret", "Azure client secret", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    ("azure-bus", "Azure service bus key", rf"SharedAccessKey={_B}{{43}}="),
    ("digitalocean", "DigitalOcean token", rf"do[opr]_v1_{_H}{{64}}"),
    ("alibaba", "Alibaba access key id", rf"LTAI{_A}{{20}}"),
    ("tencent", "Tencent secret id", rf"AKID{_A}{{32}}"),
    ("yandex", "Yandex API key", rf"AQVN{_W}{{35,38}}"),
    ("heroku", "Heroku API key", rf"HRKU-{_W}{{36,70}}"),
    ("fly", "Fly.io token", rf"fo1_{_W}{{43}}"),
    ("netlify", "Netlify token", rf"nfp_{_A}{{36}}"),
    ("vault", "Vault token", rf"hv[sbr]\.{_W}{{24,300}}"),
    ("terraform", "Terraform Cloud token", rf"{_A}{{14}}\.atlasv1\.{_W}{{60,70}}"),
    ("doppler", "Doppler token", rf"dp\.(?:pt|st|ct|sa)\.{_W}{{40,60}}"),
    ("onepassword", "1Password service account", rf"ops_eyJ{_W}{{200,2000}}"),
    ("pulumi", "Pulumi token", rf"pul-{_H}{{40}}"),
    ("tailscale", "Tailscale key", rf"tskey-(?:auth|api|client)-{_A}{{10,20}}-{_A}{{20,40}}"),
    ("planetscale", "PlanetScale token", rf"pscale_(?:tkn|pw|oauth)_{_W}{{32,64}}"),
    ("supabase", "Supabase token", rf"sb(?:p_{_H}{{40}}|_secret_{_W}{{31,50}})"),
    ("age", "age secret key", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
)
_SERVICES = (
    ("github-fine", "GitHub fine-grained token", rf"github_pat_{_A}{{22}}_{_A}{{59}}"),
    ("gitlab", "GitLab token", rf"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-{_W}{{20,64}}(?:\.{_A}{{2,9}}){{0,2}}"),
    ("bitbucket", "Bitbucket or Atlassian token", rf"AT(?:BB{_A}{{32}}|ATT3{_W}{{60,200}}(?:={_A}{{8}})?)"),
    ("docker", "Docker token", rf"dckr_[po]at_{_W}{{27,36}}"),
    ("slack", "Slack token", rf"xox[abeoprs]-(?:\d{{1,15}}-){{0,3}}{_A}{{10,250}}(?:-{_A}{{10,64}})?"),
    ("slack", "Slack app token", rf"xapp-\d-[A-Z0-9]{{8,16}}-\d{{8,16}}-{_A}{{32,80}}"),
    (
        "slack-hook",
        "Slack webhook",
        rf"hooks\.slack\.com/(?:services|workflows)/{_A}{{8,14}}/{_A}{{8,14}}/{_A}{{20,40}}",
    ),
    ("discord-hook", "Discord webhook", rf"discord(?:app)?\.com/api/webhooks/\d{{17,20}}/{_W}{{60,80}}"),
    (
        "teams-hook",
        "Teams webhook",
        rf"webhook\.office\.com/webhookb2/{_UUID}@{_UUID}/IncomingWebhook/{_H}{{32}}/{_UUID}",
    ),
    ("discord", "Discord bot token", rf"[MNO]{_A}{{23,27}}\.{_W}{{6}}\.{_W}{{27,40}}"),
    ("telegram", "Telegram bot token", rf"\d{{8,10}}:AA{_W}{{33}}"),
    ("stripe", "Stripe key", rf"(?:sk|rk)_(?:live|test)_{_A}{{24,120}}"),
    ("stripe-hook", "Stripe webhook secret", rf"whsec_{_B}{{32,64}}"),
    ("twilio", "Twilio API key", rf"SK{_H}{{32}}"),
    ("sendgrid", "SendGrid key", rf"SG\.{_W}{{22}}\.{_W}{{43}}"),
    ("mailgun", "Mailgun key", rf"key-{_H}{{32}}"),
    ("mailchimp", "Mailchimp key", rf"{_H}{{32}}-us\d{{1,2}}"),
    ("brevo", "Brevo key", rf"xkeysib-{_H}{{64}}-{_A}{{16}}"),
    ("resend", "Resend key", rf"re_{_A}{{8}}_{_A}{{24}}"),
    ("square", "Square token", rf"sq0(?:atp|csp|idp)-{_W}{{22,43}}"),
    ("shopify", "Shopify token", rf"shp(?:at|ca|pa|ss)_{_H}{{32}}"),
    ("linear", "Linear API key", rf"lin_(?:api|oauth)_{_A}{{40}}"),
    ("notion", "Notion token", rf"(?:ntn_{_A}{{40,50}}|secret_{_A}{{43}})"),
    ("figma", "Figma token", rf"figd_{_W}{{40,48}}"),
    ("airtable", "Airtable token", rf"pat{_A}{{14}}\.{_H}{{64}}"),
    ("postman", "Postman key", rf"PMAK-{_H}{{24}}-{_H}{{34}}"),
    ("grafana", "Grafana token", rf"gl(?:c_{_B}{{60,400}}={{0,2}}|sa_{_A}{{32}}_[0-9A-Fa-f]{{8}})"),
    ("newrelic", "New Relic key", r"NR(?:AK|JS|RA)-[A-Za-z0-9]{27,42}"),
    ("sentry", "Sentry token", rf"sntr(?:ys_eyJ{_W}{{50,400}}|yu_{_H}{{64}})"),
    ("rubygems", "RubyGems key", rf"rubygems_{_H}{{48}}"),
    ("crates", "crates.io token", rf"cio{_A}{{32}}"),
    ("nuget", "NuGet key", r"oy2[a-z0-9]{43}"),
    ("artifactory", "Artifactory token", rf"AKCp[58]{_A}{{65,80}}"),
    ("dynatrace", "Dynatrace token", r"dt0[sc]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("dropbox", "Dropbox token", rf"sl\.(?:u\.)?{_W}{{130,1500}}"),
    ("circleci", "CircleCI token", rf"CC(?:IPAT|IPRJ)_{_A}{{22}}_{_H}{{40}}"),
    ("buildkite", "Buildkite token", rf"bk(?:ua|at)_{_H}{{40}}"),
    ("sonar", "Sonar token", rf"sq[upa]_{_H}{{40}}"),
    ("facebook", "Facebook access token", rf"EAA{_A}{{90,300}}"),
)
_CHECKED = (
    Format(
        kind="github",
        title="GitHub token",
        pattern=rf"gh[pousr]_{_A}{{36,255}}",
        check=checks.base62_crc32,
    ),
    Format(kind="npm", title="npm token", pattern=rf"npm_{_A}{{36}}", check=checks.base62_crc32),
    Format(kind="pypi", title="PyPI token", pattern=rf"pypi-Ag{_W}{{50,1000}}", check=checks.macaroon),
    Format(
        kind="neptune",
        title="Neptune API token",
        pattern=rf"eyJ{_B}{{60,400}}={{0,2}}(?![\w.])",
        check=checks.neptune,
        strict=True,
    ),
    Format(
        kind="jwt",
        title="JSON Web Token",
        pattern=rf"eyJ{_W}{{10,1000}}\.{_W}{{8,3000}}\.{_W}{{16,1000}}",
        check=checks.web_token,
        strict=True,
    ),
)

FORMATS = (
    *_CHECKED,
    *(Format(kind=k, title=t, pattern=p) for group in (_MODELS, _CLOUDS, _SERVICES) for k, t, p in group),
)
"""Every format; where two could match, the first that does is taken."""

_BEFORE, _AFTER = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_])"
_TOGETHER = re.compile(_BEFORE + "(?:" + "|".join(f.pattern for f in FORMATS) + ")" + _AFTER)
_EACH = tuple(re.compile(f.pattern + _AFTER) for f in FORMATS)


def tokens(text: str, start: int = 0, end: int = sys.maxsize) -> Iterator[tuple[Format, re.Match[str], bool]]:
    """Yield what has a token's format between two offsets, its format, and whether its check was passed.

    What is filler, or fails a strict check, is left out.
    """
    found = _TOGETHER.search(text, start, end)
    while found:
        known, token = _named(text, found.start(), end)
        checked = known.check is not None and known.check(token.group())
        good = checks.random_like(token.group()[4:]) and (checked or not known.strict)
        if good:
            yield known, token, checked
        found = _TOGETHER.search(text, token.end() if good else found.start() + 1, end)


def _named(text: str, start: int, end: int) -> tuple[Format, re.Match[str]]:
    """Return the format that the joint pattern matched at an offset; the first that fits, as there."""
    for known, pattern in zip(FORMATS, _EACH, strict=True):
        token = pattern.match(text, start, end)
        if token:
            return known, token
    raise AssertionError("the joint pattern holds these patterns and no others")

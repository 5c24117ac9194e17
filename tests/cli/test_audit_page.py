"""The commands of the page about audit, run as they stand there, on what a gateway recorded with its settings."""

from __future__ import annotations

import asyncio
import re
import shlex
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from tests.cli.conftest import Cli, Ended

from redan.core import config as configuration
from redan.service.audit.act import Act
from redan.service.audit.recorder import open_auditor

PAGE = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
BLOCK = re.compile(r"^```(bash|toml)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
BODY = b'{"rows": [[1, 2, 3]]}'


async def serve(root: Path) -> None:
    """Record a thousand old acts as a gateway does."""
    read = configuration.load(file=root / "redan.toml", root=root, environ={})
    auditor = open_auditor(read.settings, read.root, read.settings.serve.name)
    await auditor.start()
    kept = {"input": b64encode(BODY).decode()}
    acts = [
        Act(
            t_us=1_700_000_000_000_000 + i,
            who="client:alice",
            act="predict",
            model="fraud@2",
            x=sha256(BODY).hexdigest(),
            more=kept if i == 17 else None,
        )
        for i in range(1100)
    ]
    wait = auditor.commit(acts)
    assert wait is not None
    await wait
    await auditor.stop()


def test_the_page_works_as_it_stands(cli: Cli, tmp_path: Path) -> None:
    said: dict[str, Ended] = {}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "toml":
            (tmp_path / "redan.toml").write_text(text.replace('retention = "26w"', ""), encoding="utf-8")
            asyncio.run(serve(tmp_path))
            continue
        for line in text.splitlines():
            ended = cli(*shlex.split(line)[1:])
            assert ended.code == 0, (line, ended.err)
            said[line] = ended
    assert len(said) == 11
    assert said["redan audit query --client alice --model fraud@2 --format csv"].out.count("\n") == 101
    assert said["redan audit show 17 --kept input --who client:alice"].out == BODY.decode() + "\n"
    pruned = said["redan audit prune --older-than 26w"].out
    assert pruned.startswith("gateway-1: 1024 records pruned, 1024 in all; 0 kept"), pruned
    assert "the first 1024 of them as hashes only" in said["redan audit verify"].out

"""Whether a text carries the mark of the holder of a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import MissingDependency, Unreadable, UsageError
from redan.core.finding import Finding, Location, Quantity, Status, Table
from redan.core.inputs import Inputs
from redan.core.subject import Component, SubjectRef
from redan.evidence.ownership import key_from
from redan.kernels.statistics import wilson
from redan.runner.own_report import Clock, reported
from redan.threats.theft.rules.text_mark import RULE
from redan.threats.theft.threat import THREAT

if TYPE_CHECKING:
    from redan.core.report import Report
    from redan.kernels.text_watermark.green_list import Mark, Reading
    from redan.runner.run import Session

LARGEST_TEXT_BYTES = 1 << 24
FEWEST_PAIRS = 20
"""Distinct pairs below which a text is too short to say anything."""
ACCUSED, DOUBTED = 1e-6, 1e-3


def text(place: Path, session: Session, *, key: str, tokenizer: Path, share: float, context: int) -> Report:
    """Split a text as its generator does and count green tokens.

    Args:
        place: the text, UTF-8.
        session: policy and stores.
        key: where the key lies.
        tokenizer: folder of the generating model's tokenizer.
        share: share of tokens that are green after any context, as at generation.
        context: tokens before a token that decide with it, as at generation.

    Raises:
        Unreadable: text, key or tokenizer cannot be read.
        UsageError: numbers of no mark, or a text too short to say anything.
        MissingDependency: transformers is not installed.
    """
    from hashlib import sha256

    from redan.kernels.text_watermark.green_list import Mark, read

    since = Clock.now()
    data = _bytes(place)
    try:
        mark = Mark(key=key_from(key), share=share, context=context)
    except ValueError as err:
        raise UsageError(str(err)) from err
    tokens = _tokens(data.decode("utf-8", "replace"), tokenizer)
    reading = read(mark, tokens)
    if reading.n < FEWEST_PAIRS:
        raise UsageError(f"{str(place)!r} has {reading.n} distinct pairs of tokens; {FEWEST_PAIRS} say something")
    part = Component(role="data", uri=place.name, sha256=sha256(data).hexdigest(), size_bytes=len(data))
    subject = SubjectRef(name=place.name, kind="dataset", components=(part,))
    asked: dict[str, Any] = {"text": place.name, "tokenizer": tokenizer.name, "share": share, "context": context}
    finding = finding_of(reading, mark, place.name, tokens=len(tokens))
    return reported(RULE, (finding,), subject, Inputs(), session, since=since, asked=asked)


def _bytes(place: Path) -> bytes:
    try:
        with place.open("rb") as file:
            data = file.read(LARGEST_TEXT_BYTES + 1)
    except OSError as err:
        raise Unreadable(f"cannot read {str(place)!r}: {err.strerror}") from err
    if len(data) > LARGEST_TEXT_BYTES:
        raise Unreadable(f"{str(place)!r} has more than {LARGEST_TEXT_BYTES:,} bytes", hint="split it")
    return data


def _tokens(words: str, folder: Path) -> list[int]:
    if not folder.is_dir():
        raise Unreadable(f"there is no folder {str(folder)!r} with a tokenizer", hint="the generating model's folder")
    try:
        from transformers import AutoTokenizer
    except ImportError as err:
        raise MissingDependency.of("transformers", "hf", "splitting a text into tokens") from err
    try:
        # files of this folder alone, and none of its code
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise Unreadable(f"{str(folder)!r} holds no tokenizer: {str(err).splitlines()[0]}") from err
    return list(tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"])


def finding_of(reading: Reading, mark: Mark, name: str, *, tokens: int) -> Finding:
    """Say what a reading says of a text."""
    low, high = wilson(reading.green, reading.n)
    p = Quantity(
        name="p_value",
        value=reading.p_value,
        unit="probability",
        n=reading.n,
        low=reading.p_value,
        high=reading.p_value,
        better="higher",
    )
    rate = Quantity(
        name="green_rate", value=reading.green / reading.n, unit="fraction", n=reading.n, low=low, high=high
    )
    title, status = _verdict(name, reading)
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=name,
        title=title,
        severity=THREAT.severity(p),
        status=status,
        detail=(
            f"{reading.green} of {reading.n} distinct pairs of context and token are green; without the mark "
            f"{mark.share:.0%} are expected. The p-value is exact for one text; of many texts take it times their "
            "number. No sign is no proof: short, copied and paraphrased texts keep no mark."
        ),
        params={"share": mark.share, "context": mark.context},
        quantities=(p, rate),
        tables=(
            Table(
                name="reading",
                columns=("tokens", "distinct pairs", "green", "expected"),
                rows=((tokens, reading.n, reading.green, round(mark.share * reading.n, 1)),),
            ),
        ),
        locations=(Location(uri=name),),
        remedies=(RULE.remedy,) if reading.p_value < DOUBTED else (),
        references=RULE.references,
    )


def _verdict(name: str, reading: Reading) -> tuple[str, Status]:
    p = reading.p_value
    if p < ACCUSED:
        return f"{name!r} carries the mark: {reading.green} of {reading.n} pairs green, p = {p:.1e}", "open"
    if p < DOUBTED:
        return f"whether {name!r} carries the mark stays open: p = {p:.1e}", "inconclusive"
    return f"no sign of the mark in {name!r}: p = {p:.2g}", "open"

"""Word substitutions: words for others that keep the same company, or that its owner calls synonyms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Unreadable, UsageError
from redan.core.probe import Spec
from redan.kernels.text_attacks.neighbours import leanings, like_case, vectors
from redan.threats.evasion.texts import EFFORT, TextParams, attacked, checked, texts_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.kernels.text_attacks.neighbours import Vectors
    from redan.threats.evasion.texts import Labelled

MOST_BYTES = 16 << 20
"""Of a file of synonyms."""
LEAST_LETTERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TextWordsParams(TextParams):
    """Parameters of the word substitutions.

    Attributes:
        synonyms: a file of lines, each with words that may stand for one another, commas between them; replaces the
            words that are found in the training texts.
        near: least cosine of a word's vector and that of its substitute.
        candidates: most substitutes for a word.
        telling: most that a substitute may speak for one class: the logarithm of how much commoner it is there.
    """

    synonyms: str = ""
    near: float = 0.35
    candidates: int = 12
    telling: float = 0.7


@probe(
    Spec(
        id="RDN-EVA-036",
        name="text-words",
        threat="evasion",
        title="Robust accuracy of a text classifier against substitutions of few words",
        source="Jin et al. 2020, algorithm 1; Ren et al. 2019, section 3; vectors after Levy & Goldberg 2014",
        needs=("labels", "text"),
        data=("test", "train"),
        cost="seconds",
        references=("atlas:AML.T0043.001", "atlas:AML.T0015", "owasp:ML01", "arxiv:1907.11932"),
        default=False,
    )
)
class TextWords:
    """Measures how many texts a few substituted words move to a wrong class.

    What it measures:
        Robust accuracy when at most ``words`` words may be replaced by words of the same company.

    Why it matters:
        A filter of spelling sees nothing: every word is one of the language.

    How:
        Vectors of words are learnt from the training texts (which words stand near which); the nearest ones are
        candidates, unless they speak for one class themselves: then another class would be right. Words are ranked by
        what the model loses without them and replaced one after the other; what is not needed is taken back.

    Shapes:
        x: (n,) texts; y: (n,) class indices.

    Units:
        Words changed in a text; likeness as the cosine of mean vectors.

    Error of the estimate:
        Wilson 95 % interval for the sample of texts. Whether a person would give the same class is not measured: look
        at the examples.

    Cost:
        About one query for each word of a text and 12 for each word that is tried; counted in the report.

    Sources:
        Jin, Jin, Zhou & Szolovits 2020, TextFooler; Ren, Deng, He & Che 2019, PWWS; Levy & Goldberg 2014.

    Limits:
        Words of the same company are no synonyms: opposites keep the same company too. The finding is called likely,
        not confirmed, unless a file of synonyms is given.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TextWordsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TextWordsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Attack the first test texts and yield one finding."""
        if params.candidates < 1:
            raise UsageError(f"candidates is {params.candidates}; expected at least 1")
        data = checked(subject, inputs, "test", EFFORT[params.plan][0])
        train = checked(subject, inputs, "train", len(inputs.role("train")))
        space = vectors(texts_of(train))
        if params.synonyms:
            synonyms = read_synonyms(Path(params.synonyms))
            source = f"Substitutes come from a file of {len(synonyms)} words"
            choose: Callable[[str], tuple[str, ...]] = lambda word: synonyms.get(word, ())[: params.candidates]  # noqa: E731  one of two
        else:
            choose = _company(space, train, params)
            source = f"Substitutes are words of the same company in {len(train)} training texts, no checked synonyms"

        def propose(word: str, key: np.uint64, place: int) -> list[str]:
            del key, place
            return [like_case(other, word) for other in choose(word.lower())] if len(word) >= LEAST_LETTERS else []

        found = attacked(
            self.spec,
            subject,
            data,
            params,
            propose,
            budget=budget,
            seed=seed,
            observe=observe,
            notes=(source,),
            cosine=space.cosine,
        )
        yield found if params.synonyms else replace(found, confidence="likely")


def _company(space: Vectors, train: Dataset, params: TextWordsParams) -> Callable[[str], tuple[str, ...]]:
    leaning = leanings(texts_of(train), np.asarray(train.y)[np.argsort(train.indices, kind="stable")].tolist())
    known: dict[str, tuple[str, ...]] = {}

    def choose(word: str) -> tuple[str, ...]:
        if word not in known:
            near = space.near(word, most=4 * params.candidates, least=params.near)
            neutral = [other for other in near if max(leaning[other].values()) <= params.telling]
            known[word] = tuple(neutral[: params.candidates])
        return known[word]

    return choose


def read_synonyms(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read a file of lines, each with words that may stand for one another, commas between them.

    Raises:
        Unreadable: missing, too large, or no UTF-8 text.
        UsageError: no line has two words.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as err:
        raise Unreadable(f"the synonyms at {path.name!r} cannot be read: {err}") from err
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"the synonyms at {path.name!r} are larger than {MOST_BYTES >> 20} MiB")
    found: dict[str, dict[str, None]] = {}
    for line in text.splitlines():
        words = [word.strip().lower() for word in line.split(",") if word.strip()]
        for word in words:
            found.setdefault(word, {}).update(dict.fromkeys(other for other in words if other != word))
    usable = {word: tuple(others) for word, others in found.items() if others}
    if not usable:
        raise UsageError(f"{path.name!r} has no line with two words", hint="write a line like: good, fine, decent")
    return usable

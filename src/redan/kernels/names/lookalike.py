"""Names that are nearly those of well-known packages.

Sources: Damerau 1964, "A technique for computer detection and correction of spelling errors" (one insertion, deletion,
substitution or transposition); Vu et al. 2020, "Typosquatting and Combosquatting Attacks on the Python Ecosystem".
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Literal

from redan.core.record import dataclass
from redan.kernels.packages.names import normalised

N_TARGETS = 3000
"""So many of the best-known names are worth imitating."""
N_COMBINED = 300
"""So many of the best-known names are worth imitating with an affix; most others with an affix are honest."""
N_SHORT = 1000
"""So many of the best-known names are worth imitating though they have five letters alone."""
SHORTEST = 5
"""Letters of a name that one slip leads to; shorter names lie close to each other anyway."""

Trick = Literal["misnomer", "separator", "look", "slip", "affix"]

_LOOKS = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("5", "s"), ("i", "l"))
_AFFIXES = re.compile(r"(?:python[23]?-)(?P<rest>.+)|(?P<base>.+?)(?:-python|-py|-lib|-latest|-official|-stable)")

MISNOMERS = {
    "sklearn": "scikit-learn",
    "pytorch": "torch",
    "tensorflow-gpu": "tensorflow",
    "beautifulsoup": "beautifulsoup4",
    "opencv": "opencv-python",
}
"""Names that people write and that are not, or no longer, the package they mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """A name that may be taken for another one."""

    name: str
    target: str
    trick: Trick


@dataclass(frozen=True, slots=True, kw_only=True)
class Popular:
    """What is well known.

    Attributes:
        known: names that are never suspected.
        shortened: each target, and each target less one letter → targets.
        looks: form without look-alike letters and separators → target.
        joined: form without separators → target.
        combined: targets that are worth imitating with an affix.
    """

    known: frozenset[str]
    shortened: dict[str, tuple[str, ...]]
    looks: dict[str, str]
    joined: dict[str, str]
    combined: frozenset[str]


def popular_of(names: list[str]) -> Popular:
    """Arrange names, the best known first."""
    targets = [name for at, name in enumerate(names[:N_TARGETS]) if len(name) >= SHORTEST + (at >= N_SHORT)]
    return Popular(
        known=frozenset(names),
        shortened=_shortened(targets),
        # where two look the same, the better known one counts
        looks={_look(name): name for name in reversed(targets)},
        joined={name.replace("-", ""): name for name in reversed(targets)},
        combined=frozenset(name for name in names[:N_COMBINED] if len(name) >= SHORTEST),
    )


@cache
def well_known() -> tuple[str, ...]:
    """Return the frozen list, the best known first."""
    text = files("redan.kernels.names").joinpath("popular.txt").read_text(encoding="ascii")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


@cache
def popular() -> Popular:
    """Return the frozen list, arranged; that takes longer than reading it."""
    return popular_of(list(well_known()))


def lookalike(name: str, among: Popular) -> Lookalike | None:
    """Return which well-known name a name may be taken for, or None; a well-known name is never suspected.

    Args:
        name: of a package of PyPI.
        among: what is well known.
    """
    plain = normalised(name)
    if plain in MISNOMERS:
        return Lookalike(name=plain, target=MISNOMERS[plain], trick="misnomer")
    if plain in among.known:
        return None
    for trick, target in (
        ("separator", among.joined.get(plain.replace("-", ""))),
        ("look", among.looks.get(_look(plain))),
        ("slip", _slip(plain, among.shortened)),
        ("affix", _affix(plain, among.combined)),
    ):
        if target:
            return Lookalike(name=plain, target=target, trick=trick)  # type: ignore[arg-type]  # one of the words above
    return None


def _look(name: str) -> str:
    plain = name.replace("-", "")
    for seen, meant in _LOOKS:
        plain = plain.replace(seen, meant)
    return plain


def _shortened(targets: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for target in targets:
        for form in {target, *_less_one(target)}:
            found.setdefault(form, []).append(target)
    return {form: tuple(names) for form, names in found.items()}


def _less_one(name: str) -> set[str]:
    return {name[:at] + name[at + 1 :] for at in range(len(name))}


def _slip(name: str, shortened: dict[str, tuple[str, ...]]) -> str:
    """Return a target that one insertion, deletion, substitution or transposition leads to.

    Two names that are one such step apart become the same when each loses at most one letter, so few need a look.
    """
    near = {target for form in (name, *_less_one(name)) for target in shortened.get(form, ())}
    return min((each for each in near if _one_apart(name, each) and not _versions(name, each)), default="")


def _one_apart(one: str, other: str) -> bool:
    if len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return short in _less_one(long)
    differ = [at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(differ) == 2 and differ[1] == differ[0] + 1:
        return one[differ[0]] == other[differ[1]] and one[differ[1]] == other[differ[0]]
    return len(differ) == 1


def _versions(name: str, target: str) -> bool:
    """Whether two names differ in their numbers alone, as successors and families do."""
    return re.sub(r"\d", "", name) == re.sub(r"\d", "", target)


def _affix(name: str, targets: frozenset[str]) -> str:
    match = _AFFIXES.fullmatch(name)
    rest = (match["rest"] or match["base"]) if match else ""
    return rest if rest in targets else ""

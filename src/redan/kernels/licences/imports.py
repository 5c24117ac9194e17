"""What a notebook imports, and under which licence each package is published.

The table holds facts: the name under which a package is imported, the distribution that brings it, and the licence in
the metadata of its releases. The metadata of an environment, where one is given, is asked first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from redan.core.record import dataclass

_IMPORT = re.compile(
    r"^[ \t]*(?:import[ \t]+(?P<names>[\w.]+(?:[ \t]+as[ \t]+\w+)?(?:[ \t]*,[ \t]*[\w.]+(?:[ \t]+as[ \t]+\w+)?)*)"
    r"|from[ \t]+(?P<source>\w[\w.]*)[ \t]+import\b)",
    re.MULTILINE,
)
_TABLE = """
accelerate Apache-2.0; albumentations MIT; anthropic MIT; bitsandbytes MIT; bs4=beautifulsoup4 MIT; catboost Apache-2.0;
cupy MIT; cv2=opencv-python Apache-2.0; dask BSD-3-Clause; datasets Apache-2.0; diffusers Apache-2.0; einops MIT;
fastapi MIT; fitz=pymupdf AGPL-3.0-only; pymupdf AGPL-3.0-only; flask BSD-3-Clause; flax Apache-2.0;
gensim LGPL-2.1-only; gradio Apache-2.0; h5py BSD-3-Clause; imageio BSD-2-Clause; ipywidgets BSD-3-Clause;
jax Apache-2.0; joblib BSD-3-Clause; keras Apache-2.0; langchain MIT; lightgbm MIT; lime BSD-2-Clause;
mlflow Apache-2.0; networkx BSD-3-Clause; nltk Apache-2.0; numba BSD-2-Clause; numpy BSD-3-Clause;
onnx Apache-2.0; onnxruntime MIT;
openai Apache-2.0; optax Apache-2.0; pandas BSD-3-Clause; peft Apache-2.0; plotly MIT; polars MIT;
psycopg2 LGPL-3.0-or-later; pyarrow Apache-2.0; pytest MIT; requests Apache-2.0; scipy BSD-3-Clause;
PyQt5=pyqt5 GPL-3.0-only; seaborn BSD-3-Clause; sentence_transformers=sentence-transformers Apache-2.0; shap MIT;
skimage=scikit-image BSD-3-Clause; sklearn=scikit-learn BSD-3-Clause; spacy MIT; sqlalchemy MIT;
statsmodels BSD-3-Clause; streamlit Apache-2.0; sympy BSD-3-Clause; tensorflow Apache-2.0; tiktoken MIT;
timm Apache-2.0; torch BSD-3-Clause; torchvision BSD-3-Clause; transformers Apache-2.0; ultralytics AGPL-3.0-only;
unidecode GPL-2.0-or-later; wandb MIT; xgboost Apache-2.0; yaml=pyyaml MIT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A package that code imports.

    Attributes:
        module: first part of the name that is imported.
        distribution: what brings it; the module's own name where the table has none.
        licence: its licence; empty when it is not known.
        line: of the code, from 1.
    """

    module: str
    distribution: str
    licence: str
    line: int


def imported(code: str, installed: Mapping[str, str]) -> Iterator[Imported]:
    """Yield what code imports from outside the standard library, each module once.

    Args:
        code: the source of a cell; lines that are no Python do no harm.
        installed: normalised name of a distribution → its licence, of the environment that was given.
    """
    table = _known()
    seen = set()
    for found in _IMPORT.finditer(code):
        words = found["source"] or found["names"]
        for module in (word.split()[0].partition(".")[0] for word in words.split(",")):
            if module in seen or module in sys.stdlib_module_names:
                continue
            seen.add(module)
            distribution, licence = table.get(module, (module.lower().replace("_", "-"), ""))
            line = code.count("\n", 0, found.start()) + 1
            yield Imported(
                module=module, distribution=distribution, licence=installed.get(distribution, licence), line=line
            )


def _known() -> dict[str, tuple[str, str]]:
    rows = (row.split() for row in _TABLE.split(";"))
    return {
        module: (distribution or module, licence)
        for names, licence in rows
        for module, _, distribution in [names.partition("=")]
    }

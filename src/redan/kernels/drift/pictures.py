"""Images as few numbers: how they lie along the directions in which the reference varies most."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

N_COMPONENTS = 8


def components(
    reference: NDArray[Any], current: NDArray[Any], *, n_components: int = N_COMPONENTS
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Project (n, k) and (m, k) onto the principal components of the reference: (n, c) and (m, c).

    Source: Rabanser, Günnemann and Lipton, "Failing loudly", NeurIPS 2019, section 3 (PCA before univariate tests).
    """
    middle = reference.mean(axis=0, dtype=np.float64)
    spread = np.atleast_2d(np.cov(reference, rowvar=False, dtype=np.float64))
    _, vectors = np.linalg.eigh(spread)
    directions = vectors[:, ::-1][:, :n_components]
    # eigenvectors have no sign of their own
    directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), range(directions.shape[1])])
    return (reference - middle) @ directions, (current - middle) @ directions

"""Make a folder of two model files, one honest and one booby-trapped, to scan: ``python make.py``.

The trap is harmless: loading the file would run the shell command ``true``, which does nothing. This script only
writes it, Redan only reads it, and neither ever loads it.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path

FOLDER = Path(__file__).parent / ".cache" / "downloads"


class Trap:
    """Pickles into an instruction to call ``os.system`` instead of into an object."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Name what the reader of the pickle is to call, and with what."""
        return os.system, ("true",)


def main() -> None:
    """Write ``honest.pkl``, weights as plain lists, and ``hostile.pkl``, the same with the trap beside them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    weights = {"layer1.weight": [[0.1, -0.2], [0.3, 0.4]], "layer1.bias": [0.0, 0.1]}
    (FOLDER / "honest.pkl").write_bytes(pickle.dumps(weights))
    (FOLDER / "hostile.pkl").write_bytes(pickle.dumps({**weights, "metadata": Trap()}))
    print(f"wrote {', '.join(sorted(path.name for path in FOLDER.iterdir()))}")


if __name__ == "__main__":
    main()

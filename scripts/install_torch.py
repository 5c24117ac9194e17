"""Install the CPU build of torch, never a CUDA one: ``python scripts/install_torch.py [INDEX_URL]``.

On Linux and Windows a plain ``pip install torch`` brings gigabytes of CUDA. The CPU build carries the local version
``+cpu``, which the main package index cannot offer, so asking for it by that name gives the CPU build or nothing:
first from whatever indexes pip is configured with, then from torch's own. On macOS the only build is the CPU build.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

VERSION = "2.13.0"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def installed() -> str:
    """Return the version of torch in this environment, empty when there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def main(index: str) -> int:
    """Install unless the wanted version is there; return pip's exit code."""
    if installed().partition("+")[0] == VERSION:
        return 0
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    if sys.platform == "darwin":
        return subprocess.run([*pip, f"torch=={VERSION}"], check=False).returncode
    wanted = f"torch=={VERSION}+cpu"
    if subprocess.run([*pip, wanted], check=False, stderr=subprocess.DEVNULL).returncode == 0:
        return 0
    return subprocess.run([*pip, "--index-url", index, wanted], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else TORCH_INDEX))

r"""Corrupting images beside the package imagecorruptions, same images, same kinds, same severities, one thread.

    python benchmarks/corruptions.py --peer PEER/bin/python

PEER is an environment with what benchmarks/peers/imagecorruptions.txt pins. Images are Fashion-MNIST test images from
2000 on, doubled to 56 by 56 and three channels, since the peer takes none below 32. CPU seconds are those of the
corruptions alone, without imports. One JSON line; the strengths of the two are not the same and are not compared. The
peer's gaussian_blur and fog fail with the NumPy and scikit-image of today and are left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from redan.kernels.corruptions.suite import IMAGES, SEVERITIES
from redan.kernels.draws import sample_keys

DATA = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")
KINDS = {
    "gaussian noise": "gaussian_noise",
    "shot noise": "shot_noise",
    "impulse noise": "impulse_noise",
    "defocus blur": "defocus_blur",
    "motion blur": "motion_blur",
    "snow": "snow",
    "brightness": "brightness",
    "contrast": "contrast",
    "elastic": "elastic_transform",
    "pixelate": "pixelate",
    "jpeg": "jpeg_compression",
}
"""Our name → the peer's."""
PEER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from imagecorruptions import corrupt
x = np.load(sys.argv[1])
spent = {}
for name in sys.argv[2].split(","):
    corrupt(x[0], corruption_name=name, severity=1)
    started = time.process_time()
    for severity in range(1, 6):
        for image in x:
            corrupt(image, corruption_name=name, severity=severity)
    spent[name] = time.process_time() - started
print(json.dumps(spent))
"""


def ours(x: np.ndarray) -> dict[str, float]:
    """Return CPU seconds by kind for all severities."""
    keys = sample_keys(0, "benchmark", np.arange(len(x)))
    planes = np.moveaxis(x.astype(np.float32) / 255, -1, 1)
    spent = {}
    for name in KINDS:
        IMAGES[name](planes[:1], 1, keys[:1])
        started = time.process_time()
        for severity in SEVERITIES:
            IMAGES[name](planes, severity, keys)
        spent[name] = time.process_time() - started
    return spent


def theirs(x: np.ndarray, python: str) -> dict[str, float]:
    """Return the same of the peer, by our names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, x)
        words = [python, "-c", PEER, str(path), ",".join(KINDS.values())]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return {name: float(found[peer]) for name, peer in KINDS.items()}


def main() -> int:
    """Run both sides and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="Python of the peer's environment")
    parser.add_argument("--limit", type=int, default=50)
    chosen = parser.parse_args()
    pixels = np.frombuffer(gzip.decompress(DATA.read_bytes()), np.uint8, offset=16)
    images = pixels.reshape(-1, 28, 28)[2000 : 2000 + chosen.limit]
    x = np.repeat(np.kron(images, np.ones((1, 2, 2), np.uint8))[..., None], 3, axis=-1).astype(np.uint8)
    redan, peer = ours(x), theirs(x, chosen.peer)
    total, other = sum(redan.values()), sum(peer.values())
    line = {
        "benchmark": "corruptions",
        "images": len(x),
        "shape": list(x.shape[1:]),
        "cpu_s": {"redan": round(total, 3), "imagecorruptions": round(other, 3)},
        "ratio": round(other / total, 1),
        "ratio_by_kind": {name: round(peer[name] / redan[name], 1) for name in KINDS},
        "versions": {"redan": version("redan"), "numpy": version("numpy"), "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())

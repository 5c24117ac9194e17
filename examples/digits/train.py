"""Write the data files and train both networks: ``python train.py``."""

from __future__ import annotations

import time

from digits import save
from model import hardened, weak

if __name__ == "__main__":
    print(f"data in {save().name}/")
    for factory in (weak, hardened):
        start = time.process_time()
        factory()
        print(f"{factory.__name__}: ready after {time.process_time() - start:.1f} CPU s")

"""What detect-secrets says of texts, run inside its own environment.

``PYTHON notebook_secrets.py < paths`` reads one path a line and writes one JSON line each: the values found. Nothing
here imports Redan.
"""

from __future__ import annotations

import json
import sys
import time

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings


def main() -> None:
    for line in sys.stdin:
        path = line.rstrip("\n")
        before = time.process_time()
        with default_settings():
            found = SecretsCollection()
            found.scan_file(path)
        values = sorted({secret.secret_value or "" for _, secret in found})
        print(json.dumps({"values": values, "cpu_s": time.process_time() - before}))


if __name__ == "__main__":
    main()

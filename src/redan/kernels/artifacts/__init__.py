"""What loading a file would do, told without loading it.

`inspect` reads a file by its content, never by its name, interprets pickles on an abstract machine, walks containers
and documents, and answers with one of three verdicts and exact reasons. It needs only the standard library and
executes nothing of what it reads.
"""

from __future__ import annotations

from redan.kernels.artifacts.inspecting import inspect, inspect_bytes
from redan.kernels.artifacts.limits import Limits
from redan.kernels.artifacts.reading import Call, Reading, Reason, Verdict, is_artifact

__all__ = ["Call", "Limits", "Reading", "Reason", "Verdict", "inspect", "inspect_bytes", "is_artifact"]

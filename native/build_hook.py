"""Hatch build hook: adds the compiled core to a wheel where a C compiler is there, and says so where none is."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

PLACE = "redan/kernels/artifacts/machine/_walk.abi3.so"


class CoreBuildHook(BuildHookInterface):
    """Compiles `walk.c`; a failure is a note, never the end of an installation."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in place for an editable installation, and into the wheel otherwise."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        editable = version == "editable"
        self.folder = tempfile.TemporaryDirectory()
        target = root / "src" / PLACE if editable else Path(self.folder.name) / "_walk.abi3.so"
        words = [sys.executable, str(root / "native" / "compile.py"), str(target)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            why = done.stdout.strip() or done.stderr.strip()
            self.app.display_warning(f"Redan without its compiled core, in Python alone with the same verdicts: {why}")
        elif not editable:
            build_data["force_include"][str(target)] = PLACE
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{_platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        del version, build_data, artifact_path
        if self.target_name == "wheel":
            self.folder.cleanup()


def _platform() -> str:
    """The platform of a wheel that was built here and promises nothing about other distributions."""
    return next(tag.platform for tag in sys_tags() if "linux" not in tag.platform or tag.platform.startswith("linux_"))

"""Puts the native library into the wheel where there is a Rust compiler; else the wheel is for every machine."""

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeLibrary(BuildHookInterface[Any]):
    """The build hook, called by hatchling."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, and name it and its platform in the wheel.

        Args:
            version: hatchling's word for the kind of wheel. Nothing is built for `editable`.
            build_data: What the wheel gets: the library's file and the platform's tag are put in. It is left as it is
                where there is no compiler.
        """
        if version == "editable":
            return
        folder = Path(self.root) / "streamsink"
        build = runpy.run_path(str(folder / "tooling" / "native.py"))["build"]
        try:
            library = build()
        except RuntimeError as error:
            self.app.display_warning(f"left out: {error}")
            return
        if library is None:
            return
        build_data["force_include"][str(library)] = f"streamsink/native/{library.name}"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        # One library for all Pythons: it meets them through Arrow's C data interface alone.
        build_data["tag"] = f"py3-none-{platform}"

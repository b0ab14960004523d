"""A package with a converter (decode/README.md's) and a separate file format, as pip would have installed it."""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "streamsink" / "decode" / "README.md"
FORMAT = '''
import io

import pyarrow as pa


class ArrowStream:
    """Arrow's stream, as it is."""

    extension = ".arrows"

    def __init__(self, settings):
        self.compression = settings.get("compression")
        pa.ipc.IpcWriteOptions(compression=self.compression)

    def open(self, schema):
        return Writer(schema, pa.ipc.IpcWriteOptions(compression=self.compression))

    @staticmethod
    def read(file, schema):
        yield from pa.ipc.open_stream(file)


class Writer:
    def __init__(self, schema, options):
        self.file = io.BytesIO()
        self.stream = pa.ipc.new_stream(self.file, schema, options=options)

    def write(self, rows):
        self.stream.write(rows)
        return self.taken()

    def finish(self):
        self.stream.close()
        return self.taken()

    def taken(self):
        data = self.file.getvalue()
        self.file.seek(0)
        self.file.truncate()
        return data


class Taken(ArrowStream):
    extension = ".parquet"
'''


def install(folder: Path) -> None:
    """Put it there; the folder is to be on the path."""
    text = README.read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "class Pipes" in block)
    points = re.search(r'```toml\n\[project.entry-points."(streamsink.converters)"\]\n(\w+) = "(.*?)"\n```', text)
    package = folder / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "pipes.py").write_text(code)
    (package / "arrows.py").write_text(FORMAT)
    about = folder / "my_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(
        f"[{points[1]}]\n{points[2]} = {points[3]}\n"
        "[streamsink.formats]\nArrowStream = my_package.arrows:ArrowStream\nTaken = my_package.arrows:Taken\n"
    )


def forget() -> None:
    """Let the next import look for the package anew: another test has put another one somewhere else."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]

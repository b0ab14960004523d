"""Archives so many records with Quix Streams; runs in its environment."""

import sys

from quixstreams import Application
from quixstreams.sinks.community.file.formats import ParquetFormat
from quixstreams.sinks.community.file.local import LocalFileSink


def main(bootstrap: str, topic: str, group: str, folder: str, count: str) -> None:
    app = Application(
        bootstrap, consumer_group=group, auto_offset_reset="earliest", loglevel="ERROR", commit_every=200_000
    )
    sink = LocalFileSink(directory=folder, format=ParquetFormat(compression="zstd"))
    frame = app.dataframe(app.topic(topic, value_deserializer="json", key_deserializer="bytes"))
    frame.sink(sink)
    app.run(count=int(count), timeout=60, collect=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The settings of the sink's machine. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.config.sink import Rotation


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """The settings of a machine.

    Attributes:
        rotation: When files close.
        layout: Fingerprint of what decides names and membership.
        layout_strict: Whether uncommitted records under another layout are refused (rule 8).
        look_before_writing: Whether the store is asked where a commit isn't ours.
        memory_bytes_max: The memory that all files together may take.
        uploads_max: Uploads at the same time.
        retry_timeout_s: How long a dependency may be away.
        retry_delay_s_max: The longest wait between two tries.
        drain_timeout_s: How long a refused layout's partitions may take to drain.
    """

    rotation: Rotation
    layout: str
    layout_strict: bool = False
    look_before_writing: bool = False
    memory_bytes_max: int = 256 * 1024 * 1024
    uploads_max: int = 4
    retry_timeout_s: float = 600.0
    retry_delay_s_max: float = 30.0
    drain_timeout_s: float = 30.0

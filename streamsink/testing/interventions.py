"""An operator's moves in a simulated world: layouts, offsets and objects that are changed by hand. Each is one step."""

from __future__ import annotations

from streamsink.record import TopicPartition
from streamsink.testing.world import SimWorld


def set_back(world: SimWorld, partition: TopicPartition, offset: int | None, ghosts: int) -> None:
    """Kill the connector, and set its group back or remove the offset. The commit's metadata are lost.

    Args:
        world: The world. Its zombies live on.
        partition: The topic partition.
        offset: Where the group stands afterwards; None where it has no offset.
        ghosts: Uploads of each killed task that may arrive later.
    """
    for member in [each for each in world.members if each not in world.zombies]:
        world.crash(member, ghosts)
    world.broker.give(partition, None)
    world.broker.partitions[partition].committed = None if offset is None else (offset, "")
    for zombie in world.members:
        # What a zombie has flushed before is no longer what the group has.
        for positions in zombie.flushing.values():
            positions.pop(partition, None)


def lose_object(world: SimWorld, name: str) -> None:
    """Delete an object by mistake, with the connector stopped, and set its group back to it.

    Args:
        world: The world. Nothing happens while a zombie lives or an upload of a dead process is on its way.
        name: The object's name.
    """
    if world.zombies or world.ghosts:
        return
    gone = world.store.objects[name]
    world.store.delete(name)
    world.stored[gone.topic_partition] -= {offset for offset, _ in gone.rows}
    at = (world.broker.partitions[gone.topic_partition].committed or (0, ""))[0]
    set_back(world, gone.topic_partition, min(at, gone.first_offset), 0)


def change_layout(world: SimWorld, layout: str) -> None:
    """Change the configuration: every task is killed and started anew under the new layout.

    Args:
        world: The world. Nothing happens while a zombie lives or an upload of a dead process is on its way.
        layout: The new layout's name.
    """
    if world.zombies or world.ghosts:
        return
    world.layout = layout
    for member in list(world.members):
        world.remove(member)


def change_layout_in_good_order(world: SimWorld, layout: str) -> None:
    """Stop the connector, which drains it, and start it under another layout.

    Args:
        world: The world. Nothing happens while an upload of a dead process is on its way.
        layout: The new layout's name.
    """
    if world.ghosts:
        return
    world.stop_everyone()
    world.layout = layout

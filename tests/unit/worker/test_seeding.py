from __future__ import annotations

import json

import pytest

from streamsink.config.secrets import mask
from streamsink.errors import ConfigError, Problem, RebalanceError
from streamsink.worker.folder import FolderWatch
from streamsink.worker.folder_publisher import FolderSeed
from streamsink.worker.plan import read_definitions
from streamsink.worker.status import ConnectorInfo


class Group:
    """What a seed asks of a herder."""

    def __init__(self):
        self.configs, self.puts, self.failures, self.states = {}, [], [], {}

    def info(self, name):
        config = self.configs.get(name)
        return None if config is None else ConnectorInfo(name, "sink", mask(config))

    def stored_config(self, name):
        return self.configs[name]

    def put_config(self, name, config):
        if self.failures:
            raise self.failures.pop()
        self.puts.append(name)
        made = name not in self.configs
        self.configs[name] = dict(config)
        return self.info(name), made

    def create(self, name, config, state):
        self.states[name] = state
        return self.put_config(name, config)[0]


@pytest.fixture
def group():
    return Group()


@pytest.fixture
def seed(group, tmp_path):
    return FolderSeed(FolderWatch(tmp_path, read_definitions), group)


def write(folder, name, **config):
    (folder / f"{name}.json").write_text(json.dumps({"connector.class": "streamsink.ArchiveSink", **config}))


def turns(seed, count=3):
    for _ in range(count):
        seed.turn()


def test_each_file_is_put_once_and_again_when_it_changes(seed, group, tmp_path):
    write(tmp_path, "logs", topics="a")
    turns(seed)
    assert group.puts == ["logs"]
    write(tmp_path, "logs", topics="b")
    turns(seed)
    assert group.puts == ["logs", "logs"]
    assert group.configs["logs"]["topics"] == "b"


def test_what_is_so_already_is_left_alone_secrets_included(seed, group, tmp_path):
    write(tmp_path, "logs", topics="a", **{"archive.option.secret_access_key": "written out"})
    turns(seed)
    group.puts.clear()
    turns(FolderSeed(FolderWatch(tmp_path, read_definitions), group))
    assert group.puts == []


def test_a_file_that_goes_takes_no_connector_with_it(seed, group, tmp_path):
    write(tmp_path, "logs", topics="a")
    turns(seed)
    (tmp_path / "logs.json").unlink()
    turns(seed)
    assert "logs" in group.configs


def test_one_that_can_not_be_used_leaves_the_others_alone(seed, group, tmp_path):
    write(tmp_path, "first", topics="a")
    write(tmp_path, "second", topics="b")
    (tmp_path / "third.json").write_text("{")
    group.failures = [ConfigError([Problem("topics", "is wrong")])]
    turns(seed)
    assert group.puts == ["second"]


def test_what_failed_for_now_is_tried_again_in_its_turn(seed, group, tmp_path):
    write(tmp_path, "first", topics="a")
    write(tmp_path, "second", topics="b")
    group.failures = [RebalanceError("moving", hint="again"), RebalanceError("moving", hint="again")]
    turns(seed, 5)
    assert group.puts == ["first", "second"]


def test_a_file_with_an_initial_state_is_made_in_it_and_later_only_put(seed, group, tmp_path):
    def whole(topics):
        config = {"connector.class": "streamsink.ArchiveSink", "topics": topics}
        (tmp_path / "logs.json").write_text(json.dumps({"name": "logs", "config": config, "initial_state": "PAUSED"}))

    whole("a")
    turns(seed)
    assert group.states.pop("logs") == "PAUSED"
    whole("b")
    turns(seed)
    assert (group.configs["logs"]["topics"], group.states) == ("b", {})


def test_a_file_whose_secret_alone_has_changed_is_put(seed, group, tmp_path):
    write(tmp_path, "logs", **{"sasl.password": "old"})
    turns(seed)
    write(tmp_path, "logs", **{"sasl.password": "new!"})
    turns(seed)
    assert group.configs["logs"]["sasl.password"] == "new!"

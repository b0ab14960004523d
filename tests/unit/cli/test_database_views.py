"""What `streamsink database` prints for people."""

from streamsink.cli.database_views import print_topics
from streamsink.database.restore_topics import TopicRestored, TopicsReport


def test_a_tables_name_is_printed_as_it_is_whatever_it_looks_like(capsys):
    print_topics(TopicsReport([TopicRestored("db.shop.[red]", "[red]", 1_000, 900, 100)]))
    printed = capsys.readouterr().out
    assert "db.shop.[red]   [red]" in printed
    assert "1,000" in printed

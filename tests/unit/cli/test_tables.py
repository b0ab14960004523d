from __future__ import annotations

from streamsink.cli.connector_views import print_status
from streamsink.cli.tables import new_table, print_table

REASON = "the broker is away: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (is the broker up?)"


def test_a_table_that_fits_stands_side_by_side(capsys):
    table = new_table("topic", ">records", "reason")
    table.add_row("logs", "12", "age")
    print_table(table, columns=80)
    assert "logs" in capsys.readouterr().out.splitlines()[2]


def test_a_table_wider_than_the_terminal_is_told_row_by_row_and_keeps_its_words_whole(capsys):
    table = new_table("task", "state", "worker", ">lag", "last commit", "reason")
    table.add_row("orders-of-all-shops-0", "RUNNING", "worker-3.example:8083", "12,345", "none yet", REASON)
    table.add_row("orders-of-all-shops-1", "RUNNING", "worker-3.example:8083", "", "none yet", "")
    print_table(table, columns=80)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["task", "orders-of-all-shops-0"]
    assert "worker-3.example:8083" in "".join(lines)
    assert "" in lines
    assert [line.split()[0] for line in lines[lines.index("") + 1 :]] == ["task", "state", "worker", "last"]


def test_a_task_that_has_committed_nothing_says_none_yet(capsys):
    status = {
        "name": "logs",
        "connector": {"state": "RUNNING", "worker_id": "w"},
        "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w", "progress": {"last_commit_age_ms": None}}],
    }
    print_status(status)
    assert "none yet" in capsys.readouterr().out


def test_records_that_wait_are_told_with_when_their_file_closes_and_how_to_store_them_now(capsys):
    waiting = {"records_total": 1000, "open_files": 2, "next_close_ms": 575_000, "objects_stored_total": 0}
    status = {
        "name": "logs",
        "connector": {"state": "RUNNING", "worker_id": "w"},
        "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w", "progress": waiting}],
    }
    print_status(status)
    said = capsys.readouterr().out
    assert "in 9 min 35 s" in said
    assert "1,000 records wait in open files, and nothing is stored yet" in said
    assert "streamsink connectors flush logs" in said
    waiting["objects_stored_total"] = 1
    print_status(status)
    assert "nothing is stored yet" not in capsys.readouterr().out


def narrow(capsys, table, columns=60):
    print_table(table, columns=columns)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    return lines


def test_a_reason_that_does_not_fit_stands_beneath_its_table(capsys):
    table = new_table("connector", "type", "state", "~reason")
    table.add_row("logs", "sink", "RUNNING", "")
    table.add_row("orders", "sink", "FAILED", REASON)
    lines = narrow(capsys, table)
    assert lines[0].split() == ["connector", "type", "state"]
    assert lines[3].split() == ["orders", "sink", "FAILED"]
    assert " ".join(" ".join(lines[4:]).split()) == f"orders: {REASON}"


def test_what_all_rows_of_a_wide_table_say_alike_stands_above_it_once(capsys):
    table = new_table("topic", ">partition", "encoded partition", ">objects", ">records")
    table.add_row("logs", "0", "year=2026/month=11/day=29", "1", "1,528")
    table.add_row("logs", "1", "year=2026/month=11/day=29", "1", "1,472")
    lines = narrow(capsys, table)
    assert lines[0] == "in each row: topic logs"
    assert lines[1].split() == ["partition", "encoded", "partition", "objects", "records"]
    assert lines[3].split() == ["0", "year=2026/month=11/day=29", "1", "1,528"]


def test_what_can_be_done_without_is_left_out_of_a_wide_table_and_named(capsys):
    table = new_table("object", ">records", "?from", "?until")
    for number in range(2):
        table.add_row(f"logs+{number}+0000000000.parquet", "12", f"2026-11-29T12:33:47.58{number}Z", "2026-11-30")
    lines = narrow(capsys, table, columns=70)
    assert lines[0].split() == ["object", "records", "from"]
    assert lines[-1] == "a wider terminal shows: until"
    lines = narrow(capsys, table, columns=40)
    assert lines[0].split() == ["object", "records"]
    assert lines[-1] == "a wider terminal shows: from, until"


def test_numbers_that_all_rows_say_alike_go_last(capsys):
    table = new_table("topic", ">partition", ">objects", ">offsets", "?from")
    for number in range(2):
        table.add_row("logs", str(number), "1", f"{number}..1000000", "2026-11-29T12:33:47.588Z")
    assert narrow(capsys, table, columns=24)[:2] == [
        "in each row: topic logs,",
        "objects 1",
    ]


def test_a_task_without_partitions_says_what_it_waits_for(capsys):
    status = {
        "name": "logs",
        "connector": {"state": "RUNNING", "worker_id": "w"},
        "tasks": [{"id": 0, "state": "RUNNING", "worker_id": "w", "progress": {"assigned": False}}],
    }
    print_status(status)
    assert "joins its group: a member that was killed" in capsys.readouterr().out
    status["tasks"][0]["progress"]["assigned"] = True
    print_status(status)
    assert "joins its group" not in capsys.readouterr().out

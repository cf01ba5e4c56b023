"""Compares a Parquet data set with the NDJSON records of the same captures.

usage: read_back.py DATA_SET NDJSON_DIRECTORY

Every value that DuckDB reads must be the value of the record, and payloads the bytes
that records have as hex. The NDJSON of a
capture has the name of its partition. Prints how many rows were compared.
"""

import json
import pathlib
import sys
from datetime import datetime

import duckdb

TABLES = {"messages": "message", "conversations": "conversation", "findings": "finding"}


def select_all(table):
    """Every column, the moment as nanoseconds, and where the rows are from."""
    columns = "* REPLACE (epoch_ns(ts) AS ts)" if table == "messages" else "*"
    return (
        f"SELECT {columns} FROM read_parquet(?, hive_partitioning = true, filename = true, "
        "file_row_number = true) ORDER BY filename, file_row_number"
    )


def rows_of(connection, data_set, table):
    """The rows of each capture, as the records that they are of."""
    cursor = connection.execute(select_all(table), [f"{data_set}/{table}/*/*.parquet"])
    names = [column[0] for column in cursor.description]
    captures = {}
    while batch := cursor.fetchmany(1000):
        for values in batch:
            row = dict(zip(names, values))
            del row["filename"], row["file_row_number"]
            if table == "findings":
                row["detail"] = json.loads(row["detail"])
            captures.setdefault(row.pop("capture"), []).append(row)
    return captures


def nanoseconds(text):
    """2004-05-25T12:00:00.005000000Z as nanoseconds since 1970."""
    moment, nanos = text.removesuffix("Z").split(".")
    since = datetime.fromisoformat(moment) - datetime(1970, 1, 1)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(nanos)


def records_of(path):
    """The records of a capture by their kind, in the form of rows."""
    records = {kind: [] for kind in TABLES.values()}
    for line in path.read_text().splitlines():
        record = json.loads(line)
        kind = record.pop("record")
        if kind == "message":
            record["ts"] = nanoseconds(record["ts"])
            record = {
                {"payload_hex": "payload"}.get(key, key): value for key, value in record.items()
            }
            if record["payload"] is not None:
                record["payload"] = bytes.fromhex(record["payload"])
        if kind in records:
            records[kind].append(record)
    return records


def main(data_set, ndjson):
    connection = duckdb.connect()
    rows = {table: rows_of(connection, data_set, table) for table in TABLES}
    expected = {path.name: records_of(path) for path in sorted(pathlib.Path(ndjson).iterdir())}
    for table, kind in TABLES.items():
        assert set(rows[table]) <= set(expected), set(rows[table]) - set(expected)
        count = 0
        for capture, records in expected.items():
            read = rows[table].get(capture, [])
            assert len(read) == len(records[kind]), (capture, table, len(read))
            for row, record in zip(read, records[kind]):
                assert list(row) == list(record), (capture, table, list(row))
                assert row == record, (capture, table, row, record)
                count += 1
        print(table, count)


if __name__ == "__main__":
    main(*sys.argv[1:])

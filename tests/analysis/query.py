"""Answers a question about a Parquet data set with DuckDB or DataFusion.

usage: query.py duckdb|datafusion DIRECTORY < QUESTION.sql

Paths in the question are relative to the directory. Prints the answer as lines of
values with tabs between them, below a line of their names.
"""

import os
import sys


def duckdb_answer(sql):
    import duckdb

    result = duckdb.sql(sql)
    return result.columns, result.fetchall()


def datafusion_answer(sql):
    import datafusion

    context = datafusion.SessionContext()
    for statement in filter(str.strip, sql.split(";")):
        result = context.sql(statement)
    table = result.to_arrow_table()
    return table.column_names, zip(*(column.to_pylist() for column in table.columns))


def main(engine, directory):
    sql = sys.stdin.read()
    os.chdir(directory)
    names, rows = {"duckdb": duckdb_answer, "datafusion": datafusion_answer}[engine](sql)
    print(*names, sep="\t")
    for row in rows:
        print(*("" if value is None else value for value in row), sep="\t")


if __name__ == "__main__":
    main(*sys.argv[1:])

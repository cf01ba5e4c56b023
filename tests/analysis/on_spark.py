"""One Spark session of two executors: runs the job of examples/spark and asks its data sets.

usage: on_spark.py DISSECTOR CAPTURES DATA MORE_CAPTURES MORE_DATA < QUESTIONS.json

Dissects both directories of captures by the job, and asks the questions, texts of SQL
statements. Prints as JSON what was wrong with captures,
how many executors there were in all, and the answers: lines of values with tabs between
them, below a line of their names.
"""

import json
import os
import pathlib
import shutil
import sys

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples/spark"
sys.dont_write_bytecode = True
sys.path.insert(0, str(EXAMPLE))

import dissect
from pyspark.sql import SparkSession

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
}


def new_session():
    os.environ.update(
        SPARK_LOCAL_IP="127.0.0.1", SPARK_SCALA_VERSION="2.13", PYSPARK_PYTHON=sys.executable
    )
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").appName("test")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.addPyFile(str(EXAMPLE / "dissect.py"))
    return spark


def lines_of(table):
    rows = [table.columns, *table.collect()]
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    return "".join("\t".join(row) + "\n" for row in cells)


def main(dissector, captures, data, more_captures, more_data):
    questions = json.load(sys.stdin)
    spark = new_session()
    work = pathlib.Path(os.environ.get("SPARK_HOME") or spark_home()) / "work"
    application = spark.sparkContext.applicationId
    try:
        troubles = [
            dissect.dissect_all(spark, captures, data, dissector),
            dissect.dissect_all(spark, more_captures, more_data, dissector),
        ]
        statements = [one for text in questions for one in text.split(";") if one.strip()]
        tables = [spark.sql(statement) for statement in statements]
        told = {"server", "messages"}
        answers = [lines_of(table) for table in tables if told & set(table.columns)]
    finally:
        spark.stop()
        executors = len(list((work / application).glob("*")))
        shutil.rmtree(work / application, ignore_errors=True)
    print(json.dumps({"troubles": troubles, "executors": executors, "answers": answers}))


def spark_home():
    import pyspark

    return pathlib.Path(pyspark.__file__).parent


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Dissects a directory of captures as a Spark job, into one Parquet data set.

usage: spark-submit dissect.py [--dissector PROGRAM] CAPTURES DATA
       (or python3 dissect.py …, with PySpark installed)

Every capture below CAPTURES is read, on the executors, by ministream-dump, a program
with the feature `parquet` that each machine has. The files of one capture point, as tcpdump
(-C, -G) and dumpcap (-b) rotate them, are read by one run, so that conversations go on
from file to file. CAPTURES and DATA are on a file system that all machines have mounted.

What a task writes stays in a directory of its own, DATA/_attempts, until the driver, which
knows which attempt of a task counts, moves its partitions into place. So an executor
may die at any time: Spark tries its tasks again, and nothing is there twice.

Exit status: 0 when all captures were whole, 3 when some were damaged or left out, which
standard error names; 1 when the job failed.
"""

import argparse
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import uuid

TABLES = ("messages", "conversations", "findings")
CAPTURE = re.compile(r"\.(pcap|pcapng|cap)\d*(\.gz|\.zst)?$")

# What rotation adds to the name of a capture point: dumpcap's _00001_20040525120000
# before the extension, tcpdump's number behind it, or a time that -G was told to write.
ROTATION = re.compile(r"([._-]\d{5,})+(?=\.(pcap|pcapng|cap))|(?<=cap)\d+(?=$|\.)")

# Bounds of one dissector. A task has one core, and its executor several tasks.
MEMORY = "256MiB"


def capture_points(captures):
    """The captures below a directory: a list of files for each capture point, in order."""
    points = {}
    for path in sorted(pathlib.Path(captures).absolute().rglob("*")):
        if path.is_file() and CAPTURE.search(path.name):
            point = path.parent / ROTATION.sub("", path.name)
            points.setdefault(point, []).append(path)
    for paths in points.values():
        paths.sort(key=lambda path: [int(digits) for digits in re.findall(r"\d+", path.name)])
    return {str(point): [str(path) for path in paths] for point, paths in points.items()}


def plan(captures):
    """The capture points below a directory, the largest first, so that none is left for the end."""
    points = sorted(capture_points(captures).values(), key=size_bytes, reverse=True)
    if not points:
        raise ValueError(f"no captures in {captures}")
    refuse_twins(points)
    return points


def refuse_twins(points):
    """A partition has the name of its first capture, which must be one of a kind."""
    seen = {}
    for first, *others in points:
        name = (pathlib.Path(first).name, len(others))
        if name in seen:
            raise ValueError(f"{seen[name]} and {first} would be one partition: rename one")
        seen[name] = first


def size_bytes(paths):
    return sum(pathlib.Path(path).stat().st_size for path in paths)


def run(dissector, paths, data):
    """One run of the dissector, which must end by itself."""
    ended = subprocess.run(
        [dissector, "-q", "-j", "1", "--memory", MEMORY, "--parquet", data, "--", *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if ended.returncode < 0:
        # It was killed: for want of memory, perhaps. Another attempt may go better.
        name = signal.Signals(-ended.returncode).name
        raise RuntimeError(f"{dissector} was ended by {name} at {paths}")
    return ended


def is_capture(dissector, path):
    probe = [dissector, "-q", "-j", "1", "-c", "1", "--", path]
    ended = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True)
    return ended.returncode != 2


def dissect(dissector, paths, attempts):
    """What an executor does: dissects the files of a capture point.

    Returns where the partition is, if there is one, and what was wrong.
    """
    data = str(pathlib.Path(attempts) / uuid.uuid4().hex)
    ended = run(dissector, paths, data)
    troubles = []
    if ended.returncode == 2:
        # One file that is none must not take its neighbours along.
        good = [path for path in paths if is_capture(dissector, path)]
        if good == paths:
            raise RuntimeError(f"{dissector}: {ended.stderr.strip()}")
        troubles = [f"{path}: left out: not a capture" for path in paths if path not in good]
        if not good:
            return None, troubles
        shutil.rmtree(data, ignore_errors=True)
        ended = run(dissector, good, data)
    if ended.returncode == 3:
        lines = ended.stderr.splitlines()
        troubles += [line for line in lines if ": warning: " in line]
    elif ended.returncode != 0:
        raise RuntimeError(f"{dissector}: {ended.stderr.strip()}")
    return data, troubles


def publish(attempt, data):
    """Puts the partition that an attempt wrote into its place, also where one is."""
    for table in TABLES:
        for partition in (pathlib.Path(attempt) / table).iterdir():
            place = pathlib.Path(data) / table / partition.name
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                shutil.rmtree(place)
            partition.rename(place)


def dissect_all(spark, captures, data, dissector="ministream-dump"):
    """Dissects all captures below a directory; returns what was wrong with some, as lines."""
    points = plan(captures)
    attempts = pathlib.Path(data).absolute() / "_attempts" / uuid.uuid4().hex
    attempts.mkdir(parents=True)
    try:
        # A task for each capture point.
        tasks = spark.sparkContext.parallelize(points, len(points))
        place = str(attempts)
        results = tasks.map(lambda paths: dissect(dissector, paths, place)).collect()
        for attempt, _ in results:
            if attempt is not None:
                publish(attempt, data)
    finally:
        shutil.rmtree(attempts, ignore_errors=True)
    return [trouble for _, troubles in results for trouble in troubles]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dissector", default="ministream-dump", help="the program to run")
    parser.add_argument("captures", help="directory of captures")
    parser.add_argument("data", help="directory of the data set")
    options = parser.parse_args()

    try:
        plan(options.captures)
    except (OSError, ValueError) as error:
        sys.exit(f"dissect.py: error: {error}")

    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("dissect captures").getOrCreate()
    try:
        troubles = dissect_all(spark, options.captures, options.data, options.dissector)
    finally:
        spark.stop()
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    return 3 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())

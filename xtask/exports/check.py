"""Reads exports of recorded traces with the programs they are for, and runs the queries of docs/export.md.

Usage: check.py PM_TRACE TRACES DOCS FOLDER

The results are compared with `pm-trace summary --format json`, and DuckDB's with Spark's. Ends with a line like cargo's.
"""

import collections
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial

TABLES = ["cycles", "device_phases", "waits", "findings", "events"]
# Read in every format; the others as Parquet only.
CLOSELY = ["6.1-rescan-deadlock", "6.12-healthy"]


def main():
    binary, traces, docs, folder = (pathlib.Path(arg).resolve() for arg in sys.argv[1:])
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tables").mkdir(parents=True)
    traces = sorted(traces.glob("*.pmtrace"))
    text = (docs / "export.md").read_text()
    os.chdir(folder)
    export(binary, traces)
    # 3: something was found in them.
    summary = json.loads(run([binary, "summary", *traces, "--format", "json"], (0, 3)))
    results = {}

    def query_all(name, engine):
        results[name] = engine(text, queries)

    tests = [
        ("JSON lines follow their schema", lambda: check_lines(docs)),
        ("Perfetto's own types read the trace", check_perfetto),
        ("Chrome's JSON has what its format asks for", check_chrome),
    ]
    queries = dict(blocks(text, "query", "sql"))
    assert len(queries) >= 9, f"docs/export.md has {len(queries)} queries"
    for name, engine in [("duckdb", duckdb_engine), ("spark", spark_engine)]:
        tests.append((f"{name} reads the tables", partial(query_all, name, engine)))
        for query, check in CHECKS.items():
            compare = lambda name=name, query=query, check=check: check(results[name][query], summary)
            tests.append((f"{name}: {query} is as in the summary", compare))
    tests.append(("both databases say the same", lambda: check_same(results, queries)))
    tests.append(("CSV says what Parquet says", check_csv))
    sys.exit(run_tests(tests))


def run_tests(tests):
    failed = 0
    for name, test in tests:
        try:
            test()
            print(f"test {name} ... ok", flush=True)
        except Exception:
            failed += 1
            print(f"test {name} ... FAILED", flush=True)
            traceback.print_exc()
    word = "FAILED" if failed else "ok"
    print(f"test result: {word}. {len(tests) - failed} passed; {failed} failed; 0 ignored")
    return 1 if failed else 0


def run(command, codes=(0,)):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode in codes, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def export(binary, traces):
    def one(job):
        trace, form, out = job
        run([binary, "export", trace, "--format", form, "-o", out])

    jobs = [(trace, "parquet", f"tables/{trace.stem}") for trace in traces]
    for trace in traces:
        if trace.stem in CLOSELY:
            for form in ["perfetto", "chrome", "jsonl", "csv"]:
                jobs.append((trace, form, f"{trace.stem}.{form}"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, jobs))


def blocks(text, kind, language):
    """The code under each `<!-- kind: NAME -->`."""
    pattern = rf"<!-- {kind}: ([\w-]+) -->\n```{language}\n(.*?)\n```"
    return re.findall(pattern, text, re.DOTALL)


# Formats for people and scripts


def check_lines(docs):
    import jsonschema_rs

    schema = json.loads((docs / "jsonl.schema.json").read_text())
    validator = jsonschema_rs.validator_for(schema)
    assert not validator.is_valid({"type": "wait"}), "the schema takes anything"
    for name in CLOSELY:
        kinds = collections.Counter()
        for number, line in enumerate(open(f"{name}.jsonl"), 1):
            value = json.loads(line)
            kinds[value["type"]] += 1
            for error in validator.iter_errors(value):
                raise AssertionError(f"{name}, line {number}: {error}")
        assert set(kinds) >= {"trace", "cycle", "device_phase", "wait", "event", "end"}, kinds


def check_perfetto():
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

    for name in CLOSELY:
        trace = Trace()
        trace.ParseFromString(pathlib.Path(f"{name}.perfetto").read_bytes())
        tracks, depth, starts, ends, counters = {}, collections.Counter(), {}, {}, set()
        for packet in trace.packet:
            assert not unknown(packet), f"field numbers that Perfetto does not know: {packet}"
            if packet.HasField("track_descriptor"):
                tracks[packet.track_descriptor.uuid] = packet.track_descriptor
            if not packet.HasField("track_event"):
                continue
            event = packet.track_event
            track = tracks[event.track_uuid]
            assert track.parent_uuid in tracks
            if event.type == TrackEvent.TYPE_SLICE_BEGIN:
                assert event.name and event.categories
                depth[event.track_uuid] += 1
            elif event.type == TrackEvent.TYPE_SLICE_END:
                depth[event.track_uuid] -= 1
                assert depth[event.track_uuid] >= 0, track.name
            elif event.type == TrackEvent.TYPE_COUNTER:
                assert track.HasField("counter")
                counters.add(track.name)
            for flow in event.flow_ids:
                starts[flow] = packet.timestamp
            for flow in event.terminating_flow_ids:
                ends[flow] = packet.timestamp
        assert starts.keys() == ends.keys() and starts, "arrows without an end"
        assert all(starts[flow] <= ends[flow] for flow in starts)
        assert counters == {"records lost", "records that cannot be decoded"}, counters
        kinds = {packet.WhichOneof("data") for packet in trace.packet}
        assert kinds == {"clock_snapshot", "system_info", "track_descriptor", "track_event"}, kinds


def unknown(message):
    """Whether it, or a message in it, has a field that its type does not know."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    inner = (value for field, value in message.ListFields() if field.message_type)
    lists = (value if hasattr(value, "__len__") else [value] for value in inner)
    return len(UnknownFieldSet(message)) > 0 or any(unknown(each) for values in lists for each in values)


# The fields that the Trace Event Format asks for, by kind of event.
CHROME = {"B": {"ts", "name", "cat"}, "E": {"ts"}, "X": {"ts", "dur", "name"}, "i": {"ts", "s", "name"},
          "C": {"ts", "name", "args"}, "M": {"name", "args"}, "s": {"ts", "id", "name", "cat"},
          "f": {"ts", "id", "name", "cat", "bp"}}


def check_chrome():
    for name in CLOSELY:
        trace = json.load(open(f"{name}.chrome"))
        depth = collections.Counter()
        for event in trace["traceEvents"]:
            kind = event["ph"]
            lacks = (CHROME[kind] | {"pid", "tid"}) - event.keys()
            assert not lacks, f"{event} lacks {lacks}"
            place = event["pid"], event["tid"]
            depth[place] += {"B": 1, "E": -1}.get(kind, 0)
            assert depth[place] >= 0, event


# Databases


def duckdb_engine(text, queries):
    import duckdb

    database = duckdb.connect()
    database.execute(dict(blocks(text, "set-up", "sql"))["duckdb"])
    return {name: rows(database.execute(sql).fetchall()) for name, sql in queries.items()}


def spark_engine(text, queries):
    # The session of the documentation's own lines gets what makes a small one start fast and silently.
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false",
                "spark.sql.shuffle.partitions": "1", "spark.driver.memory": "1g",
                "spark.log.level": "ERROR", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    builder = SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    builder.getOrCreate()
    scope = {}
    exec(dict(blocks(text, "set-up", "python"))["spark"], scope)
    spark = scope["spark"]
    try:
        return {name: rows(spark.sql(sql).collect()) for name, sql in queries.items()}
    finally:
        spark.stop()


def rows(found):
    """Tuples with whole numbers as such: databases differ in the types of percentiles and sums."""
    def plain(value):
        whole = not isinstance(value, (bool, str, type(None))) and value == int(value)
        return int(value) if whole else value

    return [tuple(plain(value) for value in row) for row in found]


def check_kernels(found, summary):
    def spread(spread):
        return tuple(spread[key] for key in ["least", "median", "p90", "most"]) if spread else (None,) * 4

    wanted = [(k["kernel"], k["sleep"], k["cycles"], k["stuck"], k["with_findings"], *spread(k["suspend"]), *spread(k["resume"]))
              for k in summary["kernels"]]
    equal(found, sorted(wanted))


def check_cycles(found, summary):
    def row(cycle):
        slowest = cycle["slowest"]
        step = (slowest["device"]["name"], slowest["step"], slowest["callback"]) if slowest else (None,) * 3
        return (name(cycle), cycle["number"], cycle["kernel"], cycle["outcome"], cycle["times"]["suspend"],
                cycle["times"]["resume"], *step, cycle["lost"])

    equal(found, sorted(map(row, summary["cycles"]), key=lambda row: row[:2]))


def check_found(found, summary):
    wanted = [(name(cycle), cycle["number"], finding["kind"], finding["title"])
              for cycle in summary["cycles"] for finding in cycle["found"]]
    equal(found, sorted(wanted))


def check_outliers(found, summary):
    wanted = [(name(outlier), outlier["number"], outlier["resume"], outlier["median"]) for outlier in summary["outliers"]]
    equal(found, sorted(wanted, key=lambda row: (-row[2], row[0], row[1])))


CHECKS = {"kernels": check_kernels, "cycles": check_cycles, "found": check_found, "outliers": check_outliers}


def name(row):
    return pathlib.Path(row["file"]).name


def equal(found, wanted):
    for one, other in zip(found, wanted):
        assert one == other, f"\n{one}\nis not\n{other}"
    assert len(found) == len(wanted), f"{len(found)} rows instead of {len(wanted)}"


def check_same(results, queries):
    for query in queries:
        assert results["duckdb"][query] == results["spark"][query], (
            f"{query}:\n{results['duckdb'][query]}\n{results['spark'][query]}")
    for query in ["kernels", "cycles", "found", "drivers", "slower", "awaited", "known", "around"]:
        assert results["duckdb"][query], f"{query} finds nothing in the recorded traces"


def check_csv():
    import duckdb

    for trace in CLOSELY:
        for table in TABLES:
            file = f"tables/{trace}/{table}.parquet"
            columns = [row[0] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall()]
            # Times are written by the program in one, and by the database in the other.
            columns = [column for column in columns if column != "started_at"]
            chosen = ", ".join(f"coalesce(CAST({column} AS VARCHAR), '')" for column in columns)
            wanted = duckdb.sql(f"SELECT {chosen} FROM '{file}'").fetchall()
            with open(f"{trace}.csv/{table}.csv", newline="") as text:
                found = [tuple(row[column] for column in columns) for row in csv.DictReader(text)]
            formula = re.compile(r"^[=+\-@]")
            wanted = [tuple("'" + value if formula.match(value) and not is_number(value) else value for value in row)
                      for row in wanted]
            equal(found, wanted)


def is_number(value):
    return re.fullmatch(r"-?\d+", value) is not None


if __name__ == "__main__":
    csv.field_size_limit(1 << 20)
    main()

"""Reads the lakes of a manifest with pyarrow, Polars, pandas and DuckDB, and counts the values that differ from ours.

argv[1] is the manifest. Prints one JSON object: versions, and of each reader, lake, dataset and way the rows and cells
that were compared and how many differ. Every value is compared exactly: doubles by their bits, decimals by their digits.
"""
import glob
import json
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy
import pandas
import polars
import pyarrow
import pyarrow.parquet

PLACES = 8


def whole_numbers(decimals):
    """Decimals as text of their whole number of 10^-8."""
    return [str(int(Decimal(value).scaleb(PLACES))) for value in decimals]


def bits(values):
    return numpy.ascontiguousarray(values, dtype="<f8").view("<i8")


def by_pyarrow(source, columns):
    table = pyarrow.parquet.read_table(sorted(glob.glob(source, recursive=True)))
    for name, kind in columns:
        column = table[name]
        if kind == "double":
            yield name, bits(column.to_numpy())
        elif kind == "instant":
            assert str(column.type) == "timestamp[us, tz=UTC]", column.type
            yield name, column.cast("int64").to_numpy()
        elif kind == "count":
            yield name, column.to_numpy()
        else:
            yield name, whole_numbers(column.to_pylist()) if kind == "decimal" else column.to_pylist()


def by_polars(source, columns):
    frame = polars.scan_parquet(source).collect()
    for name, kind in columns:
        column = frame[name]
        if kind == "double":
            yield name, bits(column.to_numpy())
        elif kind == "instant":
            assert column.dtype == polars.Datetime("us", "UTC"), column.dtype
            yield name, column.to_physical().to_numpy()
        elif kind == "count":
            yield name, column.to_numpy()
        else:
            yield name, whole_numbers(column.to_list()) if kind == "decimal" else column.to_list()


def by_pandas(source, columns):
    frame = pandas.read_parquet(sorted(glob.glob(source, recursive=True)))
    for name, kind in columns:
        column = frame[name]
        if kind == "double":
            yield name, bits(column.to_numpy())
        elif kind == "instant":
            yield name, column.dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()
        elif kind == "count":
            yield name, column.to_numpy()
        else:
            yield name, whole_numbers(column.tolist()) if kind == "decimal" else column.tolist()


def by_duckdb(source, columns):
    connection = duckdb.connect(":memory:")
    connection.execute(f"create temp table lake as select * from read_parquet('{source}')")
    for name, kind in columns:
        if kind in ("double", "count"):
            values = connection.sql(f'select "{name}" from lake').fetchnumpy()[name]
            yield name, bits(values) if kind == "double" else values
        elif kind == "instant":
            yield name, connection.sql(f'select epoch_us("{name}") as us from lake').fetchnumpy()["us"]
        else:
            values = [value for (value,) in connection.sql(f'select "{name}" from lake').fetchall()]
            yield name, whole_numbers(values) if kind == "decimal" else values


READERS = {"pyarrow": by_pyarrow, "polars": by_polars, "pandas": by_pandas, "duckdb": by_duckdb}


def expected_of(folder, name, kind):
    if kind in ("double", "instant", "count"):
        return numpy.fromfile(folder / f"{name}.i64", dtype="<i8")
    text = (folder / f"{name}.txt").read_text(encoding="utf8").split("\n")
    return [line.replace(".", "").lstrip("0") or "0" for line in text] if kind == "decimal" else text


def differences(got, want):
    """Cells that differ; a column of another length differs everywhere."""
    if len(got) != len(want):
        return max(len(got), len(want))
    if isinstance(want, numpy.ndarray):
        return int((numpy.asarray(got) != want).sum())
    return sum(1 for one, other in zip(got, want) if one != other)


def compare(reader, dataset, expected, source, rows):
    """One read of all columns against rows [first, last) of what we read."""
    first, last = rows
    read = list(READERS[reader](source, dataset["columns"]))
    wrong = sum(differences(got, expected[name][first:last]) for name, got in read)
    return {"rows": last - first, "cells": (last - first) * len(read), "differences": wrong}


def compared(reader, dataset):
    kinds = dict(dataset["columns"])
    expected = {name: expected_of(Path(dataset["expected"]), name, kind) for name, kind in kinds.items()}
    whole = compare(reader, dataset, expected, dataset["glob"], (0, dataset["rows"]))
    yield {"way": "glob", **whole}
    for one in dataset["files"]:
        span = (one["from"], one["from"] + one["rows"])
        yield {"way": "file", **compare(reader, dataset, expected, one["path"], span)}


def main():
    manifest = json.loads(Path(sys.argv[1]).read_text(encoding="utf8"))
    results = [
        {"reader": reader, "lake": dataset["lake"], **one}
        for reader in READERS
        for dataset in manifest
        for one in compared(reader, dataset)
    ]
    modules = {"pyarrow": pyarrow, "polars": polars, "pandas": pandas, "duckdb": duckdb}
    versions = {name: module.__version__ for name, module in modules.items()}
    print(json.dumps({"versions": versions, "results": results}))


main()

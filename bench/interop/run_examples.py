"""Runs the Python and the DuckDB SQL examples of a page, in the current folder, as they stand there.

argv[1] is the page. Prints a JSON list: of every expression of the examples its text and the rows that it gave.
"""
import ast
import json
import re
import sys
from pathlib import Path

import duckdb


def rows_of(value):
    """Rows of a frame of Polars or pandas."""
    frame = value.to_pandas() if hasattr(value, "to_pandas") else value
    return json.loads(frame.to_json(orient="records", date_format="iso", double_precision=15))


def python_expressions(text):
    names = {}
    for statement in ast.parse(text).body:
        source = ast.get_source_segment(text, statement)
        if isinstance(statement, ast.Expr):
            yield {"text": source, "rows": rows_of(eval(source, names))}
        else:
            exec(source, names)


def main():
    page = Path(sys.argv[1]).read_text(encoding="utf8")
    found = []
    for language, text in re.findall(r"```(python|sql)\n(.*?)```", page, re.DOTALL):
        if language == "python":
            found.extend(python_expressions(text))
        else:
            found.append({"text": text, "rows": rows_of(duckdb.sql(text.rstrip().rstrip(";")).df())})
    print(json.dumps(found))


main()

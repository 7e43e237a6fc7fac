#!/usr/bin/env python3
"""Draws what `cellar-bench --json` has measured: throughput over threads, latency, and growth.
`make bench-draw`.

    bench/draw.py FILE DIRECTORY

FILE has a line of JSON a row; DIRECTORY gets throughput.svg, latency.svg and growth.svg. A drawing
of which the file has no rows is left out. Needs gnuplot."""

import json
import os
import subprocess
import sys

HEAD = """set terminal svg size 900,560 dynamic font 'sans-serif,13' background rgb 'white'
set output '{path}'
set title '{title}'
set grid lc rgb '#dddddd'
set key outside right top noenhanced
set logscale y
set border 3
set tics nomirror
"""
PERCENTILES = [("p50", "p50_ns"), ("p99", "p99_ns"), ("p99.9", "p99_9_ns"), ("max", "max_ns")]
# Orders by few and many threads, relaxed and waiting.
LATENCY_CASES = ["crowd", "order, durable"]
# What the rows of `order` have that are not about lines.
LINES = 3
COLORS = ["#1b6ca8", "#c0392b", "#1e8449", "#7d3c98", "#b9770e", "#2c3e50"]
SYMBOLS = 9


def name_of(row):
    return row["case"] + (", durable" if row["mode"] == "wait" else "")


def series_draw(path, title, settings, series):
    """series: name -> list of (x, y); x may be the place of a tic."""
    script = HEAD.format(path=path, title=title) + settings
    for number, (name, points) in enumerate(series.items()):
        script += f"$data{number} << end\n"
        script += "".join(f"{x} {y}\n" for x, y in points) + "end\n"
    plots = [
        f"$data{number} using 1:2 with linespoints lw 2 pt {number % SYMBOLS + 4} "
        f"lc rgb '{COLORS[number % len(COLORS)]}' dt {number // len(COLORS) + 1} title '{name}'"
        for number, name in enumerate(series)
    ]
    script += "plot " + ", \\\n     ".join(plots) + "\n"
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    print(path)


def throughput(rows):
    series = {}
    for row in rows:
        if row["rate"] > 0 and row["lines"] == LINES:
            series.setdefault(name_of(row), {})[row["threads"]] = row["rate"]
    return {name: sorted(points.items()) for name, points in series.items() if len(points) > 2}


def latency(rows):
    series = {}
    for row in rows:
        if name_of(row) not in LATENCY_CASES or row["lines"] != LINES:
            continue
        points = [
            (place, row[member] / 1e9)
            for place, (_, member) in enumerate(PERCENTILES)
            if row.get(member)
        ]
        if points:
            plural = "" if row["threads"] == 1 else "s"
            series[f"{name_of(row)}, {row['threads']} thread{plural}"] = points
    return series


def growth(rows):
    series = {}
    for row in rows:
        if row["case"] != "growth":
            continue
        figures = {figure["name"]: figure["value"] for figure in row["figures"]}
        values = {
            "takes": row["rate"],
            "cellar_product_get()": figures["cellar_product_get() a second"],
            "records of recovery": figures["records a second"],
            row["limits"][0]["name"]: row["limits"][0]["rate"],
        }
        for name, value in values.items():
            series.setdefault(name, []).append((row["skus"], value))
    return {name: points for name, points in series.items() if len(points) > 1}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, directory = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    rows = [line for line in lines if "case" in line and not line["problem"]]
    tics = ", ".join(f"'{name}' {place}" for place, (name, _) in enumerate(PERCENTILES))
    drawings = [
        ("throughput", "Throughput over threads",
         "set logscale x 2\nset xlabel 'threads'\nset ylabel 'a second'\n"
         "set format y '%.0s%c'\n", throughput(rows)),
        ("latency", "Latency of an order",
         f"set xtics ({tics})\nset xrange [-0.2:3.2]\n"
         "set format y '%.0s %cs'\n", latency(rows)),
        ("growth", "More and more products",
         "set logscale x\nset xlabel 'products'\nset ylabel 'a second'\n"
         "set format x '10^{%L}'\nset format y '%.0s%c'\n", growth(rows)),
    ]
    for name, title, settings, series in drawings:
        if series:
            series_draw(os.path.join(directory, name + ".svg"), title, settings, series)


if __name__ == "__main__":
    main()

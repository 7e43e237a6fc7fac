#!/usr/bin/env python3
"""Prints gcovr's JSON as a table per layer and file, and the branches never taken in the layers
named: coverage.py file.json lib/commit lib/log"""
import collections
import json
import os
import sys


def count_of(file):
    """Lines and branches of one file: [lines, reached, branches, taken]."""
    lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    branches = [branch for line in lines for branch in line["branches"]]
    return [
        len(lines),
        sum(line["count"] > 0 for line in lines),
        len(branches),
        sum(branch["count"] > 0 for branch in branches),
    ]


def percent(part, whole):
    return f"{100 * part / whole:5.1f} %" if whole else "      -"


def print_row(name, count):
    lines, reached, branches, taken = count
    print(
        f"{name:<28}{reached:6}/{lines:<6}{percent(reached, lines)}"
        f"{taken:8}/{branches:<6}{percent(taken, branches)}"
    )


def print_never_taken(file):
    """A line each: where, how often it was reached, how often each branch was taken."""
    with open(file["file"], encoding="utf-8") as source:
        text = source.read().split("\n")
    for line in file["lines"]:
        counts = [branch["count"] for branch in line["branches"]]
        if line.get("gcovr/noncode") or all(counts):
            continue
        number = line["line_number"]
        print(f"{file['file']}:{number}: reached {line['count']}, branches {counts}")
        print(f"    {text[number - 1].strip()}")


def main():
    with open(sys.argv[1], encoding="utf-8") as source:
        files = sorted(json.load(source)["files"], key=lambda file: file["file"])
    layers = collections.defaultdict(lambda: [0, 0, 0, 0])
    for file in files:
        for layer in (os.path.dirname(file["file"]), "lib"):
            layers[layer] = [a + b for a, b in zip(layers[layer], count_of(file))]
    print(f"\n{'':<28}{'lines':<20}  {'branches':<20}")
    for layer in sorted(layers):
        print_row(layer, layers[layer])
        for file in files:
            if os.path.dirname(file["file"]) == layer:
                print_row("  " + os.path.basename(file["file"]), count_of(file))
    print(f"\nNever taken in {', '.join(sys.argv[2:])} (without ASSERT):")
    for file in files:
        if os.path.dirname(file["file"]) in sys.argv[2:]:
            print_never_taken(file)


if __name__ == "__main__":
    main()

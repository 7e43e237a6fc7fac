#!/usr/bin/env python3
"""Computes the totals of a shop's file without cellar: with Python's csv and decimal modules.

    tests/tools/shop_totals.py FILE.csv[.gz]

The rules for malformed rows are those of examples/replay/row.h and shop.h, written a second time
from their text. Prints the rows skipped and the totals with the labels of `replay`, so that the two
outputs can be compared line by line; the reasons go to stderr as "LINE: reason".
"""
import csv
import datetime
import gzip
import re
import sys
from collections import defaultdict
from decimal import Decimal

COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice",
           "CustomerID", "Country"]
AMOUNT_MAX = Decimal(10) ** 15
SCALE = 10000
DECIMAL = re.compile(r"[+-]?(?=\.?[0-9])[0-9]*\.?[0-9]*")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


class Malformed(Exception):
    pass


def records(data):
    """Yields (line number, fields or None, reason). One byte is one character here."""
    lines = data.split("\n")
    if lines[-1] == "":
        lines.pop()
        lines = [line + "\n" for line in lines]
    else:
        lines = [line + "\n" for line in lines[:-1]] + [lines[-1]]
    csv.field_size_limit(65536)
    index = 0
    while index < len(lines):
        taken = []

        def feed(start=index, taken=taken):
            for line in range(start, len(lines)):
                taken.append(lines[line])
                yield lines[line]

        number = index + 1
        try:
            fields = next(csv.reader(feed(), strict=True))
            if not fields:
                raise Malformed("empty line")
            if len(fields) > 64 or any("\0" in field for field in fields):
                raise Malformed("too many fields, or NUL")
        except (csv.Error, Malformed) as error:
            yield number, None, str(error)
            index += 1
            continue
        yield number, fields, None
        index += len(taken)


def decimal_of(text, limit):
    if not DECIMAL.fullmatch(text):
        raise Malformed("not a number: " + text[:40])
    value = Decimal(text)
    if abs(value) > limit:
        raise Malformed("number too large")
    return value


def whole_of(text, limit):
    value = decimal_of(text, limit)
    if value != value.to_integral_value():
        raise Malformed("not a whole number")
    return int(value)


def check_time(text):
    match = TIME.fullmatch(text)
    if not match:
        raise Malformed("bad date")
    parts = [int(part or 0) for part in match.groups()]
    if not 1971 <= parts[0] <= 2199:
        raise Malformed("bad year")
    try:
        datetime.datetime(*parts)
    except ValueError as error:
        raise Malformed("bad date") from error


def check_code(code):
    if any(ord(c) < 0x20 or ord(c) == 0x7f for c in code) or not 1 <= len(code) <= 64:
        raise Malformed("bad stock code")
    try:
        code.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("stock code is not UTF-8") from error


class Shop:
    def __init__(self):
        self.lines = defaultdict(list)  # by invoice: (code, quantity, price)
        self.customer = defaultdict(int)
        self.first_line = {}
        self.rows = 0
        self.skipped = 0
        self.invoices_skipped = 0
        self.quantity_sum = Decimal(0)
        self.value_sum = Decimal(0)

    def add(self, number, row):
        invoice, code = row["InvoiceNo"], row["StockCode"]
        if not re.fullmatch(r"[!-~]{1,13}", invoice):
            raise Malformed("bad invoice number")
        check_code(code)
        quantity = whole_of(row["Quantity"], 10 ** 9)
        if quantity == 0:
            raise Malformed("quantity 0")
        if quantity > 0 and invoice.startswith("C"):
            raise Malformed("cancellation with a quantity above 0")
        check_time(row["InvoiceDate"])
        price = decimal_of(row["UnitPrice"], 10 ** 8)
        if price * SCALE != (price * SCALE).to_integral_value():
            raise Malformed("too many decimals")
        customer = 0
        if row["CustomerID"] != "":
            customer = whole_of(row["CustomerID"], 10 ** 18 - 1)
            if customer < 1:
                raise Malformed("bad customer")
        if customer and self.customer[invoice] not in (0, customer):
            raise Malformed("another customer")
        value = abs(quantity * price * SCALE)
        if (self.value_sum + value > AMOUNT_MAX
                or self.quantity_sum + abs(quantity) > AMOUNT_MAX):
            raise Malformed("the sums grow too large")
        self.value_sum += value
        self.quantity_sum += abs(quantity)
        self.customer[invoice] = self.customer[invoice] or customer
        self.first_line.setdefault(invoice, number)
        self.lines[invoice].append((code, quantity, price))

    def drop_long_invoices(self):
        for invoice in [i for i, lines in self.lines.items() if len(lines) > 4096]:
            self.invoices_skipped += 1
            self.skipped += len(self.lines[invoice])
            print(f"{self.first_line[invoice]}: invoice too long", file=sys.stderr)
            del self.lines[invoice]

    def print(self):
        entries = [(i, *line) for i, lines in self.lines.items() for line in lines]
        cancelled = [i for i in self.lines if i.startswith("C")]
        positive = [e for e in entries if e[2] > 0]
        customers = {self.customer[i] for i in self.lines} - {0}

        def show(label, value):
            print(f"  {label:<42} {value:>20,}")

        def decimals(price):
            return max(0, -price.normalize().as_tuple().exponent) if price else 0

        show("rows", self.rows)
        show("rows skipped, each reported above", self.skipped)
        show("invoices skipped whole", self.invoices_skipped)
        show("lines", len(entries))
        show("invoices", len(self.lines))
        show("cancellations among them", len(cancelled))
        show("stock codes", len({e[1] for e in entries}))
        show("customers", len(customers))
        show("lines without a customer", sum(self.customer[e[0]] == 0 for e in entries))
        show("sum of quantity over all lines", sum(e[2] for e in entries))
        show("lines below 0 outside cancellations",
             sum(e[2] < 0 and not e[0].startswith("C") for e in entries))
        show("lines with price 0", sum(e[3] == 0 for e in entries))
        show("largest quantity of one line", max((e[2] for e in positive), default=0))
        show("most lines on one invoice", max(map(len, self.lines.values()), default=0))
        show("lines repeating a code of their invoice",
             sum(len(lines) - len({line[0] for line in lines}) for lines in self.lines.values()))
        show("decimals of prices, at most", max((decimals(e[3]) for e in entries), default=0))
        revenue = sum((e[2] * e[3] for e in positive), Decimal(0)).quantize(Decimal("0.0001"))
        text = f"{revenue:,}"
        while text.endswith("0") and len(text.split(".")[1]) > 2:
            text = text[:-1]
        print(f"  {'revenue of orders':<42} {text:>20} GBP")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError) as error:
            print(f"{sys.argv[1]}: {error}", file=sys.stderr)
            return 1
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    shop = Shop()
    header = None
    # Latin-1 maps every byte to one character and back, so that no byte is lost or refused.
    for number, fields, reason in records(data.decode("latin-1")):
        if header is None:
            if fields is None or not set(COLUMNS) <= set(fields):
                print("the header is bad", file=sys.stderr)
                return 1
            header = fields
            continue
        shop.rows += 1
        try:
            if fields is None:
                raise Malformed(reason)
            if len(fields) != len(header):
                raise Malformed("wrong number of fields")
            shop.add(number, {name: fields[header.index(name)] for name in COLUMNS})
        except Malformed as error:
            shop.skipped += 1
            print(f"{number}: {error}", file=sys.stderr)
    if header is None:
        print("the file is empty", file=sys.stderr)
        return 1
    shop.drop_long_invoices()
    shop.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

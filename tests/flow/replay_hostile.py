#!/usr/bin/env python3
"""Writes files that a careless reader of CSV would choke on.

    tests/flow/replay_hostile.py DIR SEED

Files whose names begin with "refused-" must be refused whole; all others must be read, their bad
rows skipped and reported. The last ones are random damage, made of the seed.
"""
import gzip
import os
import random
import sys

HEADER = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
DATE = b"2011-05-03 10:20:00"


def row(number=b"600001", code=b"85123A", text=b"LANTERN", quantity=b"6", date=DATE, price=b"2.55",
        customer=b"17850.0", country=b"United Kingdom"):
    return b",".join([number, code, text, quantity, date, price, customer, country])


def lines(*rows, header=HEADER, end=b"\n"):
    return end.join((header,) + rows) + end


GOOD = row(number=b"599999", code=b"71053")


def good_files():
    yield "plain", lines(GOOD, row())
    yield "crlf", lines(GOOD, row(), end=b"\r\n")
    yield "bom", b"\xef\xbb\xbf" + lines(GOOD, row())
    yield "no-last-newline", lines(GOOD, row())[:-1]
    yield "cr-at-the-end", lines(GOOD, row())[:-1] + b"\r"
    yield "header-only", lines()
    yield "header-only-without-newline", HEADER
    yield "columns-in-another-order", (
        b"Country,Extra,CustomerID,UnitPrice,InvoiceDate,Quantity,Description,StockCode,InvoiceNo\n"
        b"France,x,12345.0,1.25," + DATE + b",3,CUP,22138,600002\n")
    yield "quotes", lines(
        row(text=b'"LETTER ""A"" KEY RING"'), row(text=b'"CUP, BLUE"', code=b"c2"),
        row(text=b'"two\nlines"', code=b"c3"), row(text=b'"two\r\nlines, ""q"""', code=b"c4"),
        row(text=b'12" PLATE', code=b"c5"), row(text=b'""', code=b"c6"), GOOD)
    yield "all-quoted", lines(b",".join(b'"' + f + b'"' for f in row().split(b",")), GOOD)
    yield "quote-not-closed", lines(row(text=b'"LANTERN'), GOOD, row(code=b"x"))
    yield "quote-not-closed-in-last-row", lines(GOOD, row(text=b'"LANTERN'))
    yield "quote-closed-too-early", lines(row(text=b'"LAN"TERN'), GOOD, row(text=b'"A" ', code=b"x"))
    yield "quote-over-rows", lines(row(text=b'"LANTERN'), row(text=b'B"', code=b"x"), GOOD)
    yield "carriage-return-inside", lines(row(text=b"LAN\rTERN"), GOOD)
    yield "nul-inside", lines(row(text=b"LAN\0TERN"), row(text=b'"A\0"'), GOOD)
    yield "empty-lines", lines(b"", GOOD, b"", row(), b"", b"", end=b"\r\n")
    yield "too-few-fields", lines(b"600001,85123A,LANTERN,6", b"x", b",", GOOD)
    yield "too-many-fields", lines(row() + b",more", b"," * 7, b"," * 63, b"," * 64, b"," * 999, GOOD)
    yield "long-fields", lines(row(text=b"x" * 65536), row(text=b"y" * 65537, code=b"x"),
                               row(text=b'"' + b"z\n" * 40000 + b'"', code=b"z"), GOOD)
    yield "huge-numbers", lines(
        row(quantity=b"1000000000", price=b"0.0001"), row(quantity=b"1000000001"),
        row(quantity=b"99999999999999999999999999"), row(price=b"100000000"),
        row(price=b"100000000.0001"), row(price=b"1" + b"0" * 400),
        row(price=b"0." + b"0" * 400), row(price=b"0." + b"0" * 400 + b"1"),
        row(customer=b"999999999999999999"), row(customer=b"1000000000000000000", code=b"x"), GOOD)
    yield "sums-too-large", lines(
        *(row(number=b"6%05d" % i, code=b"s%d" % (i % 7), quantity=b"900000000",
              price=b"%d.37" % (i * 3)) for i in range(60)), GOOD)
    yield "odd-numbers", lines(*(
        [row(number=b"61%04d" % i, quantity=q) for i, q in enumerate(
            [b"", b"0", b"-0", b"0.0", b"6.0", b"6.", b"6.5", b".0", b"+6", b"--6", b"1e3", b" 6",
             b"6 ", b"0x6", b"nan", b"1,000", b'"1,000"', b"\xd9\xa6"])] +
        [row(number=b"62%04d" % i, price=p) for i, p in enumerate(
            [b"", b".", b"-", b"0", b"-0.00", b".5", b"5.", b"0.001", b"0.0001", b"0.00001",
             b"2.5500000", b"-11062.06", b"+1.5", b"1.5.5", b"2,55", b"inf", b"1e-3"])] +
        [row(number=b"63%04d" % i, customer=c) for i, c in enumerate(
            [b"", b"0", b"-5", b"17850", b"17850.", b"17850.5", b"x", b" ", b"007"])]), GOOD)
    yield "dates", lines(*(row(number=b"64%04d" % i, date=d) for i, d in enumerate(
        [b"", b"2011-02-29 10:00:00", b"2012-02-29 10:00:00", b"2100-02-29 00:00:00",
         b"2000-02-29T23:59:59", b"2011-13-01 10:00", b"2011-12-31 23:59", b"2011-00-10 10:00:00",
         b"2011-04-31 10:00:00", b"2011-05-03 24:00:00", b"2011-05-03 10:60:00",
         b"2011-05-03 10:20:60", b"2011-05-03", b"12/1/2010 8:26", b"1970-01-01 00:00:00",
         b"2200-01-01 00:00:00", b"2199-12-31 23:59:59", b"2011-05-03 10:20:00 ",
         b"2011-5-3 10:20:00", b"2011-05-03 10:20:", b"0000-00-00 00:00:00"])), GOOD)
    yield "documents", lines(
        row(quantity=b"3"), row(quantity=b"-2"), row(quantity=b"-1"), row(quantity=b"0"),
        row(number=b"C600001", quantity=b"-1"), row(number=b"C600001", quantity=b"2"),
        row(number=b"C", quantity=b"-4"), row(number=b"c1", quantity=b"4"),
        row(number=b"A563185", code=b"B", text=b"Adjust bad debt", quantity=b"1",
            price=b"11062.06", customer=b""),
        row(number=b"A563186", code=b"B", text=b"Adjust bad debt", quantity=b"1",
            price=b"-11062.06", customer=b""),
        row(number=b"600005", price=b"-5.25"), row(number=b"600006", price=b"0"),
        row(number=b"C600007", quantity=b"-3", price=b"-1.5"),
        row(number=b"1234567890123"), row(number=b"12345678901234"), row(number=b""),
        row(number=b"60 01"), row(number=b"60\xe901"), row(number=b"12345678"),
        row(number=b"123456789"), row(number=b"600008", quantity=b"-7", customer=b"", price=b"0"),
        row(number=b"600008", quantity=b"-7", customer=b"", price=b"1.125"),
        row(number=b"600009", quantity=b"-80995", customer=b"16446"), GOOD)
    yield "codes", lines(*(row(code=c) for c in [
        b"m", b"M", b"POST", b"BANK CHARGES", b"gift_0001_20", b" POST", b"POST ", b"", b"a" * 64,
        b"a" * 65, b"caf\xc3\xa9", b"caf\xe9", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x8d\xb5", b"a\tb", b"\x7f", b"85123a", b'"a,b"', b'"a""b"']), GOOD)
    yield "bad-utf8-descriptions", lines(
        row(text=b"GIFT VOUCHER \xa320.00"), row(text=b"\xff\xfe", code=b"x"),
        row(text=b"\xe2\x82", code=b"y"), row(text=b"\xc3\xa9" * 200, code=b"z"), GOOD)
    yield "scattered-invoice", lines(
        *(row(number=b"6%05d" % (i % 5), code=b"p%d" % (i % 3)) for i in range(40)), GOOD)
    yield "customers-disagree", lines(
        row(customer=b""), row(customer=b"17850"), row(customer=b"17851"), row(customer=b""),
        row(customer=b"17850.0"), row(number=b"600002", customer=b"17851"), GOOD)
    yield "times-disagree", lines(row(), row(date=b"2011-05-03 10:21:00"), GOOD)
    yield "invoice-of-4096-rows", lines(*(row(code=b"%05d" % (i % 900)) for i in range(4096)), GOOD)
    yield "invoice-of-4097-rows", lines(*(row(code=b"%05d" % (i % 900)) for i in range(4097)), GOOD)
    whole = lines(*(row(number=b"6%05d" % (i // 4), code=b"p%d" % i) for i in range(100)))
    yield "gzipped.gz", gzip.compress(whole)
    yield "gzipped-without-the-name", gzip.compress(whole)
    yield "two-archives-in-a-row.gz", gzip.compress(whole[:1000]) + gzip.compress(whole[1000:])
    yield "plain-with-the-name.gz", whole
    yield "refused-empty", b""
    yield "refused-only-bom", b"\xef\xbb\xbf"
    yield "refused-column-missing", lines(GOOD, header=HEADER.replace(b",UnitPrice", b""))
    yield "refused-no-header", row() + b"\n" + GOOD + b"\n"
    yield "refused-header-quote-open", b'"' + lines(GOOD)
    yield "refused-utf16", lines(GOOD).decode().encode("utf-16")
    yield "refused-truncated.gz", gzip.compress(whole)[:-100]
    yield "refused-truncated-in-the-check-sum.gz", gzip.compress(whole)[:-3]
    packed = bytearray(gzip.compress(whole))
    packed[len(packed) // 2] ^= 0x10
    yield "refused-damaged.gz", bytes(packed)
    yield "refused-empty-archive.gz", gzip.compress(b"")


def damaged(seed):
    """A sound file of 300 rows with a few bytes changed, doubled or cut."""
    chance = random.Random(seed)
    sound = lines(*(row(number=b"%s6%05d" % (b"C" if i % 70 < 8 else b"", i // 8),
                        code=b"p%d" % chance.randrange(60),
                        text=chance.choice([b"CUP", b'"A, ""B"""', b'"C\nD"', b""]),
                        quantity=b"-3" if i % 70 < 8 or i % 50 == 0 else b"%d" % (1 + i % 9),
                        price=b"%d.%03d" % (i % 7, i), customer=b"%d.0" % (100 + i // 8))
                    for i in range(300)), end=b"\r\n")
    data = bytearray(sound)
    for _ in range(chance.randrange(1, 30)):
        at = chance.randrange(len(HEADER) + 2, len(data))
        action = chance.randrange(4)
        if action == 0:
            data[at] = chance.choice(b'",\r\n-.0C\0\xff')
        elif action == 1:
            data.insert(at, chance.choice(b'",\r\n-.0C\xc3'))
        elif action == 2:
            del data[at:at + chance.randrange(1, 40)]
        else:
            data[at:at] = data[at:at + chance.randrange(1, 200)]
    return bytes(data)


def main():
    directory, seed = sys.argv[1], int(sys.argv[2])
    files = dict(good_files())
    for i in range(20):
        files[f"damaged-{seed}-{i}"] = damaged(seed * 1000 + i)
    for name, data in files.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()

"""Does the live page work in a browser, and does it need nothing from elsewhere? Skipped where
there is no Chromium."""
import re
import shutil
import subprocess
import sys
import tempfile

from harness import Server, cases, expect, order, run

CHROMIUM = shutil.which("chromium")


def look(address, *options):
    """The page's DOM after some seconds of its own time."""
    with tempfile.TemporaryDirectory() as profile:
        seen = subprocess.run(
            ["timeout", "-s", "KILL", "40", CHROMIUM, "--headless", "--no-sandbox",
             "--disable-gpu", "--user-data-dir=" + profile, "--virtual-time-budget=6000",
             "--dump-dom", *options, address], capture_output=True, text=True, check=False)
    return seen.stdout


def test_page_needs_nothing_from_elsewhere():
    with Server() as server:
        page = server.get("/")
    expect(page.headers["content-type"], "text/html; charset=utf-8")
    expect("default-src 'none'" in page.headers["content-security-policy"], True)
    found = set(re.findall(rb"https?://[^\"'\s]+", page.body))
    expect(found, {b"http://www.w3.org/2000/svg"})
    expect(re.findall(rb"<(?:script|img|iframe)[^>]*src|innerHTML|eval\(", page.body), [])


def test_page_draws_what_is_sold():
    if CHROMIUM is None:
        return
    with Server() as server:
        server.sell("<b>tea", 100)
        for _ in range(9):
            server.post("/v1/orders", order("<b>tea", 1))
        server.put("/v1/campaigns/1", {"name": "First two", "quota": 2}, if_none_match="*")
        server.post("/v1/campaigns/1/claims", {"customer": "1"})
        dom = look(f"http://127.0.0.1:{server.port}/")
    level = re.search(r'id="level" class="(up|warning|critical)"', dom)
    expect(level is not None, True, dom[-300:])
    expect("&lt;b&gt;tea</td>" in dom, True, "the product, as text")
    expect(re.search(r"First two</td>.*width: 50%.*>1</td>", dom) is not None, True, "campaign")
    expect("9 in all, 9 units" in dom, True)
    expect(dom.count("<polyline") >= 7, True, "lines are drawn")


def test_page_asks_for_a_token():
    if CHROMIUM is None:
        return
    with Server(tokens="read read-token-0123456789\n") as server:
        address = f"http://127.0.0.1:{server.port}/"
        expect("#token=" in look(address), True)
        expect('class="down"' not in look(address + "#token=read-token-0123456789"), True)


if __name__ == "__main__":
    if CHROMIUM is None:
        print("ok 0 - in a browser # SKIP no chromium", file=sys.stdout)
    run(cases(globals()))

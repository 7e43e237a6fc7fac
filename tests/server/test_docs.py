"""Is docs/SERVER.md true? Its commands are run in their order against a server with an empty store,
and what they print is compared with what stands there ("..." stands for anything); its table of
routes against the description; its man page against --help."""
import os
import re
import subprocess

from harness import BINARY, Server, cases, expect, run

with open("docs/SERVER.md", encoding="utf-8") as page:
    PAGE = page.read()


def test_commands_answer_as_written():
    shown = re.findall(r"```console\n(.*?)```", PAGE, re.S)
    tried = 0
    with Server() as server:
        for block in shown:
            lines = block.splitlines()
            for number, line in enumerate(lines):
                if not line.startswith("$ "):
                    continue
                command = line[2:].replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
                ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True,
                                     timeout=20, check=True)
                wanted = ".*".join(re.escape(part) for part in lines[number + 1].split("..."))
                expect(re.fullmatch(wanted, ran.stdout.strip()) is not None, True,
                       f"{command}\n# gave {ran.stdout}")
                tried += 1
    expect(tried >= 12, True, f"{tried} commands")


def test_table_of_routes_is_complete():
    written = {(name, method, path, role) for name, method, path, role in re.findall(
        r"^\| ([a-z_.]+) \| ([A-Z]+) (/\S*) \| (\w+) \|", PAGE, re.M)}
    with Server() as server:
        description = server.get("/openapi.json").json()
    described = {(operation["operationId"], method.upper(), path, operation["x-role"])
                 for path, methods in description["paths"].items()
                 for method, operation in methods.items()}
    expect(written - described, set(), "in the page only")
    expect(described - written, set(), "in the description only")


def test_every_file_has_its_line():
    table = PAGE[PAGE.index("| file | subject |"):PAGE.index("## Libraries")]
    named = set(re.findall(r"\b[a-z_]+(?:\.html)?\b", table))
    for file in os.listdir("examples/cellard"):
        name = file.removesuffix(".c")
        if file.endswith(".c") and name not in ("assets",):
            expect(name in named, True, f"{file} is not named")


def test_man_page_has_every_setting():
    usage = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    with open("docs/man/cellard.8", encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    for name in re.findall(r"^  (--[a-z-]+)", usage, re.M):
        expect(name in manual, True, f"{name} is not in the man page")
    numbers = dict(re.findall(r"^  (--[a-z-]+) .*\[(\d+)\]$", usage, re.M))
    for name, normal in numbers.items():
        if name not in ("--segment", "--ring", "--products", "--stocks", "--accounts", "--orders"):
            entry = manual[manual.index(name + "="):][:300]
            expect(normal in entry, True, f"the default of {name}")


def test_example_settings_are_accepted():
    with Server("--config=examples/cellard/deploy/cellard.conf",
                "--listen=127.0.0.1:0") as server:
        expect(server.get("/livez").status, 200)


if __name__ == "__main__":
    run(cases(globals()))

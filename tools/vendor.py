"""Vendor the console's third-party assets, so that users need neither node nor a foreign host.

`vendor.py` runs `npm pack` at the pinned versions, copies the few files that the console uses with
their licences into `static/vendor/`, and writes `vendor.json` (name, version, licence, sha256 of
each file) and `VENDOR.md` (the same for people). `vendor.py --check` proves that the committed
files are unchanged and name no host that a browser would fetch from; it needs no network.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "src/certdesk/interfaces/console/static/vendor"

ICONS = (  # noqa: SIM905  one word list reads better than fifty quoted lines
    "alert-triangle api archive arrow-left arrow-right broadcast building calendar certificate check "
    "chevron-down chevron-right circle-check circle-x clock copy dots download external-link "
    "file-certificate help-circle info-circle key language layout-dashboard list-search logout mail "
    "menu-2 network plus radar receipt refresh rocket search server shield-lock shopping-cart tag "
    "trash upload user user-check users world x"
).split()

# The package of Tabler's core ships no LICENSE file; its package.json says MIT and its banner names
# the holders, so the licence is written out with that banner's copyright lines.
MIT = """MIT License

{holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True)
class Package:
    """One npm package: what is taken from it, and under which name it is kept."""

    name: str
    version: str
    licence: str
    files: dict[str, str]  # path inside the package → file name in static/vendor


PACKAGES = (
    Package("@tabler/core", "1.6.1", "MIT", {"dist/css/tabler.min.css": "tabler.min.css"}),
    Package("htmx.org", "2.0.11", "0BSD", {"dist/htmx.min.js": "htmx.min.js"}),
    Package(
        "swagger-ui-dist",
        "5.35.0",
        "Apache-2.0",
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "swagger-ui-bundle.js.LICENSE.txt": "LICENSE.swagger-ui-bundle.txt",
            "NOTICE": "LICENSE.swagger-ui-NOTICE.txt",
        },
    ),
    Package("@tabler/icons", "3.51.0", "MIT", {"icons/outline": "icons.svg"}),
)

_SOURCE_MAP = re.compile(rb"\n?(/\*# sourceMappingURL=[^*]*\*/|//# sourceMappingURL=\S*)\s*$")
# What makes a browser fetch: a CSS url() or @import, or an SVG reference, that leaves this host.
_FOREIGN = re.compile(
    rb"""(url\(\s*["']?(https?:)?//|@import|(?:xlink:)?href=["']https?://)""", re.IGNORECASE
)


class VendorError(Exception):
    """The packages or the committed files are not what they must be."""


def fetch(package: Package, folder: Path) -> Path:
    """Download and unpack one package; returns its root folder."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    archive = folder / done.stdout.strip().splitlines()[-1]
    root = folder / archive.stem
    with tarfile.open(archive) as tar:
        tar.extractall(root, filter="data")
    return root / "package"


def sprite(folder: Path) -> bytes:
    """One SVG file with a `<symbol>` for each icon; stroke and size come from the `.cd-icon` class."""
    symbols = []
    for name in ICONS:
        source = (folder / f"{name}.svg").read_text(encoding="utf-8")
        shapes = re.search(r"<svg[^>]*>(.*)</svg>", source, re.DOTALL)
        if shapes is None:
            raise VendorError(f"The icon {name} is not an SVG file.")
        kept = [
            line.strip() for line in shapes[1].splitlines() if line.strip() and 'stroke="none"' not in line
        ]
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(kept)}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'.encode()


def licence_text(package: Package, root: Path) -> bytes:
    own = root / "LICENSE"
    if own.exists():
        return own.read_bytes()
    first_file = (root / next(iter(package.files))).read_text(encoding="utf-8")
    holders = re.findall(r"Copyright [^\n]+", first_file[:1000])
    if package.licence != "MIT" or not holders:
        raise VendorError(f"{package.name} ships no licence text.")
    return MIT.format(holders="\n".join(holders)).encode()


def take(package: Package, root: Path) -> dict[str, bytes]:
    """File name → bytes of everything kept of one package.

    Source map comments are cut: the maps are not shipped, and a hashed static storage would fail
    on the missing file.
    """
    declared = json.loads((root / "package.json").read_text(encoding="utf-8"))["license"]
    if declared != package.licence:
        raise VendorError(f"{package.name} {package.version} is now under {declared}, not {package.licence}.")
    kept = {}
    for source, name in package.files.items():
        path = root / source
        kept[name] = sprite(path) if path.is_dir() else _SOURCE_MAP.sub(b"\n", path.read_bytes())
    kept[f"LICENSE.{package.name.lstrip('@').replace('/', '-')}.txt"] = licence_text(package, root)
    return kept


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Vendored assets",
        "",
        "Written by `tools/vendor.py`; `tools/vendor.py --check` compares the hashes. Change the pins there,",
        "never a file here. Source map comments are cut; `icons.svg` is joined from single outline icons.",
        "",
        "| package | version | licence | file | sha256 |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        for name, sha256 in row["files"].items():
            lines.append(f"| {row['name']} | {row['version']} | {row['licence']} | {name} | `{sha256}` |")
    return "\n".join(lines) + "\n"


def vendor() -> None:
    """Fetch every package and rewrite `static/vendor/`."""
    TARGET.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for package in PACKAGES:
            kept = take(package, fetch(package, Path(scratch)))
            for name, content in kept.items():
                (TARGET / name).write_bytes(content)
            files = {name: digest(content) for name, content in kept.items()}
            rows.append(
                {"name": package.name, "version": package.version, "licence": package.licence, "files": files}
            )
    (TARGET / "vendor.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    (TARGET / "VENDOR.md").write_text(table(rows), encoding="utf-8")


def problems() -> list[str]:
    """What is wrong with the committed files; empty when all is well."""
    rows = json.loads((TARGET / "vendor.json").read_text(encoding="utf-8"))
    found = []
    known = {"vendor.json", "VENDOR.md"}
    for row in rows:
        for name, sha256 in row["files"].items():
            known.add(name)
            path = TARGET / name
            content = path.read_bytes() if path.exists() else b""
            if digest(content) != sha256:
                found.append(f"{name} is not the file that was vendored.")
            if not name.startswith("LICENSE") and (_FOREIGN.search(content) or _SOURCE_MAP.search(content)):
                found.append(f"{name} makes the browser fetch from elsewhere.")
    found += [
        f"{path.name} is not listed in vendor.json." for path in TARGET.iterdir() if path.name not in known
    ]
    pins = {(package.name, package.version, package.licence) for package in PACKAGES}
    if pins != {(row["name"], row["version"], row["licence"]) for row in rows}:
        found.append("The pins in tools/vendor.py and vendor.json differ; run tools/vendor.py.")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Vendor or check the console's third-party assets.")
    parser.add_argument("--check", action="store_true", help="verify the committed files, fetch nothing")
    if not parser.parse_args().check:
        vendor()
    found = problems()
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""What the browser is given: unchanged vendored files, a strict policy's needs, current translations."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONSOLE = ROOT / "src/certdesk/interfaces/console"
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))


@pytest.mark.parametrize("tool", ["vendor.py", "compile_messages.py"])
def test_committed_results_are_those_of_their_tool(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_need_no_inline_script_or_style(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", source)


def test_our_own_assets_name_no_other_host() -> None:
    for name in ("certdesk.css", "components.css", "certdesk.js"):
        source = (CONSOLE / "static" / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|@import|\beval\(|new Function", source)


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (CONSOLE / "static/vendor/icons.svg").read_text(encoding="utf-8")
    named = {name for path in TEMPLATES for name in re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text())}
    assert named <= set(re.findall(r'<symbol id="([a-z0-9-]+)"', sprite))

"""What stands in the log, whoever wrote it: one line of JSON an event."""

import json
import subprocess
import sys

SAID = """
import logging
import structlog
from certdesk.config.logging import configure

configure("info")
structlog.get_logger().info("ours", name="a\\nb")
logging.getLogger("django.request").warning("Not Found: %s", "/a\\r\\nforged")
try:
    raise ValueError("two\\nlines")
except ValueError:
    logging.getLogger("library").exception("failed")
logging.getLogger("library").info("not worth a line")
"""


def test_each_event_is_one_line_of_json_also_those_of_libraries() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SAID], capture_output=True, text=True, check=True, timeout=60
    )
    ours, missing, failed = map(json.loads, said.stderr.splitlines())
    assert (ours["event"], ours["name"], ours["level"]) == ("ours", "a\nb", "info")
    assert (missing["event"], missing["logger"]) == ("Not Found: /a\r\nforged", "django.request")
    assert missing["level"] == "warning"
    assert missing["timestamp"].endswith("Z")
    assert failed["event"] == "failed"
    assert "ValueError: two\nlines" in failed["exception"]

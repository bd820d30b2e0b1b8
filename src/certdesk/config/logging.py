"""Structured logs to standard error: one line an event, no secrets, no control characters."""

import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import Processor


class _StandardError:
    """What standard error is at each line: loggers are kept, and another one put there may be closed."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure(level: str) -> None:
    """Set up structlog and the standard library's logging, which libraries use, for one process."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,  # of which request it speaks
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    line = structlog.processors.JSONRenderer()  # escapes CR, LF and ANSI sequences
    structlog.configure(
        processors=[*common, line],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    theirs = logging.StreamHandler(cast(TextIO, _StandardError()))
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
        )
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), handlers=[theirs], force=True)

"""What the relay says of itself while it works."""

from __future__ import annotations

import io
import json

import structlog

from relay import logs


def test_a_line_is_json_where_no_person_looks_and_hides_secrets() -> None:
    stream = io.StringIO()
    logs.configure(["s3cret-value"], stream=stream)
    structlog.get_logger("x").info("said", token="s3cret-value", url="https://hooks.slack.com/a/b")
    line = json.loads(stream.getvalue())
    assert line["event"] == "said"
    assert "s3cret" not in stream.getvalue()
    assert "slack.com/a" not in stream.getvalue()


def test_a_stream_that_is_closed_stops_nothing() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    stream.close()
    structlog.get_logger("x").error("nobody reads this")

"""`@each`: one test that goes through a whole table.

`parametrize` makes a test of each row, and thousands of tests cost more to collect than to run.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

Test = Callable[..., Any]


def each(
    names: str | Sequence[str], rows: Iterable[Any], ids: object = None
) -> Callable[[Test], Test]:
    """Run the test with every row in turn, like `pytest.mark.parametrize`; a failure names its row.

    The rows share the fixtures of the one test, so they suit tests that change nothing.
    """
    wanted = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [dict(zip(wanted, row if len(wanted) > 1 else [row], strict=True)) for row in rows]
    assert table, "a table without rows tests nothing"
    labels = list(ids) if isinstance(ids, Iterable) else [None] * len(table)

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)
        kept = [one for name, one in signature.parameters.items() if name not in wanted]

        if inspect.iscoroutinefunction(test):

            @functools.wraps(test)
            async def all_rows(*args: Any, **fixtures: Any) -> None:
                for label, row in zip(labels, table, strict=True):
                    with _named(label or row):
                        await test(*args, **fixtures, **row)

        else:

            @functools.wraps(test)
            def all_rows(*args: Any, **fixtures: Any) -> None:
                for label, row in zip(labels, table, strict=True):
                    with _named(label or row):
                        test(*args, **fixtures, **row)

        del all_rows.__wrapped__
        all_rows.__signature__ = signature.replace(parameters=kept)
        return all_rows

    return decorate


@contextmanager
def _named(row: object):
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the row {str(row)[:500]}")
        raise

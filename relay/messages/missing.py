"""`Missing`: what stands in a template for a value that the event does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2.runtime import Undefined


class Missing(Undefined):
    """False in `if`, empty in `for`, `[missing: name]` in a message; of parts it has none.

    Comparisons with it fail instead of raising: a value that is not there is neither more nor
    less than another.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The dotted name: `event.data.current_limit`."""
        return self._undefined_name or "value"

    def part(self, name: object) -> Missing:
        """What is missing when a part of something missing is asked for."""
        return Missing(name=f"{self.name}.{name}")

    def __str__(self) -> str:
        return f"[missing: {self.name}]"

    def __repr__(self) -> str:
        return f"Missing({self.name!r})"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.part(name)

    def __getitem__(self, key: object) -> Any:
        return self if isinstance(key, slice) else self.part(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __contains__(self, item: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __hash__(self) -> int:
        return hash(None)

    def _never(self, _other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]  # the base raises

    def _stays(self, *_others: object) -> Missing:
        return self

    # The base raises in all of these.
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _stays  # type: ignore[assignment]
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _stays  # type: ignore[assignment]
    __mod__ = __rmod__ = __neg__ = __pos__ = _stays  # type: ignore[assignment]

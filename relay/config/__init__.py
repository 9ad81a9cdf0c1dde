"""Environment and `rules.yaml` to one checked, frozen configuration, all faults at once."""

from __future__ import annotations

from relay.config.loading import Config, load, load_text

__all__ = ["Config", "load", "load_text"]

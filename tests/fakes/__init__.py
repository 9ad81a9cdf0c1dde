"""Targets that answer as told: they accept, refuse, stall, drip, drop and lie, on loopback."""

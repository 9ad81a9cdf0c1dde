"""A notification relay for partners of 360dialog: webhook events in, the right message out."""

__version__ = "0.1.0"

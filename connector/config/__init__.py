"""Reads the operator's file: values with lines, models, secrets, reference pages."""

from connector.config.loading import Loaded, load
from connector.config.model import Config

__all__ = ["Config", "Loaded", "load"]

"""A small support organisation and its daily life, so that a new installation has something to show."""

from deploy.local.demo.life import load
from deploy.local.demo.organisation import seed

__all__ = ["load", "seed"]

"""A workshop on convolutional networks: train, study, explain, read, take away.

Importing the package is silent and light: torch is imported by the modules that need it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

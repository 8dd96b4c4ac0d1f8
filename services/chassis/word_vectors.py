"""Word vectors that need no network, where the extra `embeddings` is installed.

They are those that the package WordLlama (MIT) carries: 256 numbers for each of 32,000 pieces of words, whose mean
stands for a text. Nothing is fetched when it runs.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def installed_word_vectors() -> Callable[[list[str]], Any] | None:
    """Turns texts into the rows of a matrix of unit vectors (NumPy), loaded on first use; None where not installed."""
    if importlib.util.find_spec("wordllama") is None:
        return None
    # Told to look into its own package it finds all that it needs, and downloads nothing.
    model: Any = importlib.import_module("wordllama").WordLlama.load(
        cache_dir=files("wordllama"), disable_download=True
    )
    return lambda texts: model.embed(texts, norm=True)

"""Vectors of texts without a model: of the words and of three letters at a time, hashed into so many numbers.

Texts that share words, parts of words or misspellings are near each other; what means the same in other words is not.
It is what agents recall with where no embedding model is configured and the extra `embeddings` is not installed.
"""

import hashlib
import math
import re
from collections.abc import Sequence

BUILT_IN = "built-in/1"
SIZE = 1024
# A word says more than each of its parts.
_WORD, _PART = 1.0, 0.4
_WORDS = re.compile(r"[a-z]+|[0-9]+|[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Words of sentences, and of our own ones above all, that say nothing of what they are about.
_EMPTY = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "by", "does", "for", "from", "in", "is", "it", "not", "of", "on"),
        *("or", "that", "the", "this", "to", "was", "with", "column", "mean", "means"),
    }
)


def hashed(texts: Sequence[str]) -> list[list[float]]:
    """A vector of length 1 for each text; of zeros for one without a word."""
    return [unit(_counted(text)) for text in texts]


def unit(vector: Sequence[float]) -> list[float]:
    """The vector as long as 1; zeros stay zeros."""
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)


def _counted(text: str) -> list[float]:
    weights: dict[str, float] = {}
    for word in _WORDS.findall(_HUMP.sub(" ", text).lower()):
        if word in _EMPTY:
            continue
        weights[word] = weights.get(word, 0.0) + _WORD
        edged = f"^{word}$"
        for start in range(len(edged) - 2):
            part = edged[start : start + 3]
            weights[part] = weights.get(part, 0.0) + _PART
    vector = [0.0] * SIZE
    for piece, weight in weights.items():
        digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
        # What is said often is said once, and a bit more; the sign lets those that meet by chance cancel out.
        amount = 1 + math.log(weight) if weight > 1 else weight
        vector[int.from_bytes(digest[:4]) % SIZE] += amount if digest[4] & 1 else -amount
    return vector

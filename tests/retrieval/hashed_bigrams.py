"""An embedder without a model: hashed bigrams, so that like texts have like vectors."""

import zlib

import numpy as np

from retrieval.lexical import terms


class HashedBigrams:
    """Counts what it embedded, so that a test sees what was done twice."""

    def __init__(self, name="hashed", dimension=64):
        self.name = name
        self._dimension = dimension
        self.embedded = 0

    def passages(self, texts):
        self.embedded += len(texts)
        return np.stack([self._vector(text) for text in texts])

    def query(self, text):
        return self._vector(text)

    def _vector(self, text):
        vector = np.full(self._dimension, 1e-3, dtype=np.float32)
        for term in terms(text):
            vector[zlib.crc32(term.encode()) % self._dimension] += 1
        return vector / np.linalg.norm(vector)

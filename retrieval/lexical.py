"""BM25 over the words of Chinese text: character bigrams, and whole Latin words and numbers."""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
_RUNS = re.compile(r"[a-z]+|\d+(?:\.\d+)*|[^\W\da-z_]+")


def terms(text: str) -> list[str]:
    """The terms of a text: full width read as half width, case ignored, punctuation left out."""
    found: list[str] = []
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if run.isascii() or len(run) == 1:
            found.append(run)
        else:
            found.extend(a + b for a, b in pairwise(run))
    return found


class Bm25:
    """Okapi BM25 (Robertson & Zaragoza 2009) with the idf that is never negative."""

    def __init__(self, texts: Iterable[str]) -> None:
        counts = [Counter(terms(text)) for text in texts]
        self._size = len(counts)
        lengths = np.array([count.total() for count in counts], dtype=np.float64)
        mean = lengths.mean() if self._size else 1.0
        self._norm = K1 * (1 - B + B * lengths / (mean or 1.0))
        postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for position, count in enumerate(counts):
            for term, frequency in count.items():
                postings[term].append((position, frequency))
        self._postings = {term: np.array(entries).T for term, entries in postings.items()}

    def scores(self, query: str) -> NDArray[np.float64]:
        """One score a text, in the order given; 0 where no term of the query occurs."""
        scores = np.zeros(self._size)
        for term in set(terms(query)):
            if term not in self._postings:
                continue
            where, frequency = self._postings[term]
            idf = math.log(1 + (self._size - len(where) + 0.5) / (len(where) + 0.5))
            scores[where] += idf * frequency * (K1 + 1) / (frequency + self._norm[where])
        return scores

    def ranking(self, query: str) -> list[int]:
        """Positions of the texts that share a term with the query, best first; ties keep their order."""
        scores = self.scores(query)
        return sorted(np.flatnonzero(scores).tolist(), key=lambda position: -scores[position])

"""Where the data files that ship with bingli are, in a checkout and in an installed wheel alike."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "rules"
PROMPTS = ROOT / "prompts"
CORPUS = ROOT / "retrieval" / "corpus"

"""The knowledge base: corpus, embedding, index and search."""

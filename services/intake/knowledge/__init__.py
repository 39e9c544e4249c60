"""The knowledge base: articles found by their words, judged by their readers, made of answers that are used often."""

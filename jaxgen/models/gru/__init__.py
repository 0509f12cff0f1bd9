"""A recurrent language model, a GRU between an embedding and a dense head."""

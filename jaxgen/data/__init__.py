"""Sources, tokenizers and batching: real data as NumPy arrays with an order that can be resumed."""

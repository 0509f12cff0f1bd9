"""GPT, a decoder-only transformer."""

"""Steps compiled for chips that are not there."""

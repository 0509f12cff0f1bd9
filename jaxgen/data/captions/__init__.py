"""Images with captions, whose words are known and whose truth can be checked."""

"""Sound: recordings and synthesised clips, with what is known of each moment and of each clip."""

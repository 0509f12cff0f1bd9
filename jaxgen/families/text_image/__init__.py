"""Images from text: one sequence of the text's tokens and then the image's."""

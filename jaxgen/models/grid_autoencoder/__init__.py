"""An autoencoder of images whose middle is a grid of features, for codes to stand in."""

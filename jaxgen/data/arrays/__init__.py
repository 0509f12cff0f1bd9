"""Arrays that a program hands over: points, spectra, whatever a prototype learns from."""

"""How a measurement is taken and written down."""

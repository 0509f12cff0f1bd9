"""What is measured: steps, attention, equations, beside their mathematics."""

"""Which devices run a step, and how: jit, pmap, mesh, processes; the only room that names them."""

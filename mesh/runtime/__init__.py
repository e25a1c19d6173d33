"""Does. The ground floor: clock, owned tasks, sockets."""

"""What a person thinks in: a checkpoint with its processes, files, sockets, mounts and sizes."""

"""Where the threads of a checkpoint stood: core files, unwinding, symbols, Python frames."""

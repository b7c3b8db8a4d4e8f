"""Where requests run: the engine of this process, the worker process, and the queue before them."""

//! How a child of PID 1 gives up everything it does not need, before it reads a foreign byte.

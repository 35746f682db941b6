connection.set_trace_callback(hook)

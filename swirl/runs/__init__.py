"""A run as a process: started, queued, stopped, resumed; and what becomes of it afterwards."""

"""Settings of the gunicorn that `test_killed.py` starts: each worker says its process id when it is ready."""

import os

preload_app = True  # so that a new worker is there at once
worker_class = "gthread"
workers, threads = 1, 4
control_socket_disable = True
loglevel = "critical"  # it complains about each kill


def when_ready(server):
    """Load what the first request would: no worker lives for many."""
    from django.urls import reverse

    reverse("checkout:cart")


def post_worker_init(worker):
    os.write(1, f"{worker.pid}\n".encode())

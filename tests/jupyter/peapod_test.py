"""What Jupyter's own suite does not ask of a kernel."""
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import unittest
from queue import Empty

import nbformat
import zmq
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient

KERNEL = os.environ.get("PEAPOD_KERNEL", "peapod")
PEAPOD = os.environ["PEAPOD"]
TIMEOUT = 30

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: c
    image: busybox
    command: ["sh", "-c", "echo hello; sleep 3600"]
"""

CELLS = [
    POD,
    "%until pod/web Ready",
    "$ kubectl get pods -o wide",
    "$ kubectl describe pod web | head -3\n$ kubectl logs web",
    "%timeline",
    "%why pod/web",
    "id: once\nsteps:\n  - apply: |\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: a}\n",
    "%%sh\nfor n in 1 2 3; do kubectl create configmap c$n; done | sort -r",
    "%profile",
    "$ sleep 90; kubectl get events --sort-by=.metadata.name",
]


def notebook(cells):
    book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": KERNEL, "display_name": "Peapod"}})
    book.cells = [nbformat.v4.new_code_cell(cell, id=f"c{at}") for at, cell in enumerate(cells)]
    return book


def reply(client, msg_id, channel="shell"):
    get = client.get_shell_msg if channel == "shell" else client.get_control_msg
    while True:
        message = get(timeout=TIMEOUT)
        if message["parent_header"].get("msg_id") == msg_id:
            return message["content"]


def until_it_runs(client, msg_id):
    """Waits until a cell has begun: an interrupt before that is none."""
    while True:
        message = client.get_iopub_msg(timeout=TIMEOUT)
        if message["parent_header"].get("msg_id") == msg_id and message["msg_type"] == "display_data":
            return


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Executions(unittest.TestCase):
    def test_two_executions_give_the_same_bytes(self):
        books = []
        for _ in range(2):
            book = notebook(CELLS)
            NotebookClient(book, timeout=60, record_timing=False).execute()
            nbformat.validate(book)
            books.append(json.dumps(book, sort_keys=True))
        self.assertEqual(books[0], books[1])
        for expected in ("web    1/1     Running", "hello", "image/svg+xml", "configmap/c3 created"):
            self.assertIn(expected, books[0])


class Kernels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manager, cls.client = start_new_kernel(kernel_name=KERNEL)

    @classmethod
    def tearDownClass(cls):
        cls.client.stop_channels()
        cls.manager.shutdown_kernel()

    def run_cell(self, code, **options):
        return reply(self.client, self.client.execute(code, **options))

    def test_an_interrupt_stops_time_and_nothing_else(self):
        self.run_cell("%reset")
        # Real time passes: five minutes would be longer than this test.
        msg_id = self.client.execute("%play 5m")
        until_it_runs(self.client, msg_id)
        # Others are answered meanwhile.
        self.assertEqual(reply(self.client, self.client.kernel_info())["status"], "ok")
        self.manager.interrupt_kernel()
        content = reply(self.client, msg_id)
        self.assertEqual((content["status"], content["ename"]), ("error", "Interrupted"))
        self.assertEqual(self.run_cell("%now")["status"], "ok")
        # An interrupt when nothing runs stops nothing later. It is waited for: the two channels keep no order.
        message = self.client.session.msg("interrupt_request", {})
        self.client.control_channel.send(message)
        self.assertEqual(reply(self.client, message["header"]["msg_id"], "control")["status"], "ok")
        self.assertEqual(self.run_cell("$ sleep 1")["status"], "ok")

    def test_sigint_is_an_interrupt(self):
        msg_id = self.client.execute("%play 5m")
        until_it_runs(self.client, msg_id)
        os.kill(self.manager.provisioner.pid, signal.SIGINT)
        self.assertEqual(reply(self.client, msg_id)["ename"], "Interrupted")

    def test_what_waits_behind_a_failure_does_not_run(self):
        first = self.client.execute("$ sleep 1\n$ false")
        others = [self.client.execute("$ kubectl create ns never") for _ in range(3)]
        self.assertEqual(reply(self.client, first)["ename"], "CommandFailed")
        statuses = [reply(self.client, other)["status"] for other in others]
        # What had not arrived when the first one failed may run.
        self.assertEqual(sorted(set(statuses) - {"ok", "error"}), [])

    def test_silence_leaves_no_mark(self):
        before = self.run_cell("%now")["execution_count"]
        self.assertEqual(self.run_cell("%now", silent=True)["execution_count"], before)
        self.assertEqual(self.run_cell("", store_history=True)["execution_count"], before)
        self.assertEqual(self.run_cell("%now")["execution_count"], before + 1)

    def test_errors_have_a_place(self):
        content = self.run_cell("apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspce: {}\n")
        self.assertEqual(content["ename"], "ManifestError")
        self.assertEqual(content["traceback"][1:3], ["  5 | spce: {}", "    | ^^^^"])

    def test_places_count_characters(self):
        code = "$ echo 안녕 | gre"
        content = reply(self.client, self.client.complete(code))
        self.assertEqual((content["cursor_start"], content["cursor_end"]), (len(code) - 3, len(code)))
        self.assertEqual(content["matches"], ["grep"])

    def test_names_of_pods_are_completed(self):
        self.run_cell("%reset")
        self.run_cell("$ kubectl run webserver --image=nginx")
        self.assertTrue(wait_for(lambda: reply(self.client, self.client.complete("$ kubectl logs web"))["matches"] == ["webserver"]))

    def test_an_unknown_comm_is_closed(self):
        message = self.client.session.msg("comm_open", {"comm_id": "x", "target_name": "nothing", "data": {}})
        self.client.shell_channel.send(message)
        while True:
            got = self.client.get_iopub_msg(timeout=TIMEOUT)
            if got["msg_type"] == "comm_close":
                self.assertEqual(got["content"]["comm_id"], "x")
                break

    def test_a_client_that_stops_reading_harms_nobody(self):
        info = self.manager.get_connection_info()
        context = zmq.Context()
        lazy = context.socket(zmq.SUB)
        lazy.setsockopt(zmq.RCVHWM, 1)
        lazy.setsockopt(zmq.RCVBUF, 4096)
        lazy.subscribe(b"")
        lazy.connect(f"tcp://{info['ip']}:{info['iopub_port']}")
        try:
            time.sleep(0.2)
            big = "$ seq 1 40000"
            for _ in range(20):
                self.assertEqual(self.run_cell(big)["status"], "ok")
            self.assertEqual(self.run_cell("%now")["status"], "ok")
        finally:
            lazy.close(0)
            context.term()

    def test_strangers_are_not_answered(self):
        info = self.manager.get_connection_info()
        import socket

        for port in ("shell_port", "iopub_port", "hb_port", "control_port", "stdin_port"):
            with socket.create_connection((info["ip"], info[port])) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"\xff" * 100)
        self.client.session.key, key = b"other", self.client.session.key
        try:
            msg_id = self.client.kernel_info()
            with self.assertRaises(Empty):
                self.client.get_shell_msg(timeout=0.3)
        finally:
            self.client.session.key = key
        self.assertEqual(reply(self.client, self.client.kernel_info())["status"], "ok")

    def test_the_heart_beats(self):
        info = self.manager.get_connection_info()
        context = zmq.Context()
        with context.socket(zmq.REQ) as heart:
            heart.connect(f"tcp://{info['ip']}:{info['hb_port']}")
            for beat in (b"", b"abc", b"x" * 1000):
                heart.send(beat)
                self.assertTrue(heart.poll(5000))
                self.assertEqual(heart.recv(), beat)
        context.term()


class Lives(unittest.TestCase):
    def test_a_restart_begins_anew(self):
        manager, client = start_new_kernel(kernel_name=KERNEL)
        try:
            reply(client, client.execute("%advance 1h"))
            manager.restart_kernel(now=False)
            client.wait_for_ready(timeout=TIMEOUT)
            content = reply(client, client.execute("%now"))
            self.assertEqual((content["status"], content["execution_count"]), ("ok", 1))
        finally:
            client.stop_channels()
            manager.shutdown_kernel()

    def test_a_kernel_does_not_outlive_who_started_it(self):
        program = textwrap.dedent(
            """
            import sys, time
            from jupyter_client.manager import start_new_kernel
            manager, client = start_new_kernel(kernel_name=sys.argv[1])
            print(manager.provisioner.pid, flush=True)
            time.sleep(60)
            """
        )
        front = subprocess.Popen([sys.executable, "-c", program, KERNEL], stdout=subprocess.PIPE, text=True)
        try:
            pid = int(front.stdout.readline())
            self.assertTrue(is_alive(pid))
            front.kill()
            front.wait()
            self.assertTrue(wait_for(lambda: not is_alive(pid)), "the kernel still runs")
        finally:
            front.kill()
            front.stdout.close()

    def test_a_shutdown_is_quick(self):
        manager = KernelManager(kernel_name=KERNEL)
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=TIMEOUT)
        client.execute("%play 5m")
        pid = manager.provisioner.pid
        client.stop_channels()
        manager.shutdown_kernel()
        self.assertFalse(is_alive(pid))


if __name__ == "__main__":
    unittest.main()

"""Ray as an executor: two nodes on this machine, of which one is killed, and clusters that cannot be used."""

import importlib.util
import io
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from test_cell import config, without_clocks
from test_executor import is_running, wait_until
from test_runner import by_id, make_suite, make_tuned_suite

from seq2seq_zoo.benchmark import ray_cluster, runner
from seq2seq_zoo.benchmark.executor import LocalProcesses
from seq2seq_zoo.benchmark.ray_cluster import ClusterError
from seq2seq_zoo.benchmark.ray_tasks import RayTasks
from seq2seq_zoo.benchmark.tuning import Search, run_search

HERE = Path(__file__).parent
FAKE = "fake_cells:run_cell"
LONG = 400
"""Seconds to wait on a machine that does much else."""

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'seq2seq-zoo[ray]'"
    ),
    # Ray closes few of its files.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def environment():
    """What nodes and drivers have in common. Ray reads some of it when it is imported."""
    # Not in the folder of pytest: the path of a socket has at most 107 characters.
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "the-token-of-the-tests")
        patch.setenv("RAY_health_check_period_ms", "100")
        # Not where other programs, or tests that were killed, may have left Ray processes.
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_agent_register_timeout_ms", str(1000 * LONG))
        patch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", str(LONG))
        patch.setenv("TIMEOUT_FOR_SPECIFIC_SERVER_S", str(LONG))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parents[1])]))
        yield


@pytest.fixture(scope="module")
def cluster(environment):
    """A cluster with a node that runs no cells, which is never lost, and a node with one core."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": free_port()}
    found = Cluster(initialize_head=True, head_node_args=head)
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def client_address(cluster):
    return f"ray://127.0.0.1:{cluster.head_node._ray_params.ray_client_server_port}"


def one_has_ended(pids):
    return not all(map(is_running, pids))


def benchmark(suite, directory, executor):
    return runner.run(suite, directory, executor, Console(file=io.StringIO(), width=200))


def measured(directory):
    """What does not depend on the clock, for every record."""
    found = {}
    for identity, record in by_id(directory).items():
        what = without_clocks(record) if "epochs" in record else record.get("metrics") or record["trials"]
        found[identity] = record["status"], what, record["versions"]["keras"]
    return found


def refusal(connect, *arguments):
    with pytest.raises(ClusterError) as caught:
        connect(*arguments)
    return str(caught.value)


@pytest.fixture(scope="class")
def executor(cluster):
    """One connection for all tests of a class, as from a node of the cluster."""
    with RayTasks(cluster.address, 1, FAKE) as tasks:
        yield tasks


class TestFromANodeOfTheCluster:
    def test_a_killed_node_loses_no_cell_and_records_equal_those_of_local_processes(
        self, executor, cluster, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(runner, "report", lambda directory: [directory])
        marker = tmp_path / "marker"
        suite = make_suite(["wait", "ok", "train"], seeds=(1, 2), marker=str(marker), train=config())
        suite.cells.pop()  # one training is enough
        marker.touch()
        assert benchmark(suite, tmp_path / "here", LocalProcesses(1, FAKE)) == 0
        # Begun on this machine, and finished on the cluster.
        begun = make_suite(["ok"], seeds=(1,), marker=str(marker), train=config())
        assert benchmark(begun, tmp_path / "there", LocalProcesses(1, FAKE)) == 0
        before = by_id(tmp_path / "there")
        marker.unlink()
        doomed = cluster.add_node(num_cpus=1)

        class KillsANode:
            def run(self, cells, directory):
                pids: list[int] = []
                for event in executor.run(cells, directory):
                    yield event
                    pids += [event["progress"]["pid"]] if "pid" in event.get("progress", {}) else []
                    if len(pids) == 2 and not marker.exists():
                        node = doomed.all_processes["raylet"][0].process
                        node.kill()
                        node.wait()
                        wait_until(partial(one_has_ended, pids), seconds=LONG)
                        marker.touch()

        assert benchmark(suite, tmp_path / "there", KillsANode()) == 0
        assert marker.exists()
        cluster.worker_nodes.remove(doomed)
        assert measured(tmp_path / "there") == measured(tmp_path / "here")
        assert by_id(tmp_path / "there").items() >= before.items()

    def test_a_suite_that_tunes(self, executor, tmp_path, monkeypatch):
        monkeypatch.setattr(runner, "report", lambda directory: [directory])
        suite = make_tuned_suite(["stops", "ok"], seeds=(1,))
        # The study that stops here continues on the cluster.
        assert benchmark(suite, tmp_path / "there", LocalProcesses(1, FAKE)) == 1
        (before,) = (tmp_path / "there" / "studies" / "q-stops-basic-1000-.jsonl").read_text().splitlines()
        assert benchmark(suite, tmp_path / "there", executor) == 0
        records = by_id(tmp_path / "there")
        assert {record["status"] for record in records.values()} == {"ok"}
        assert records["q-stops-basic-1-"]["config"] == {"units": 7, "seed": 1}
        assert before in (tmp_path / "there" / "studies" / "q-stops-basic-1000-.jsonl").read_text()

    def test_tune_on_ray_has_the_trials_of_tune_here_and_a_lost_one_runs_again(self, executor, tmp_path):
        pytest.importorskip("optuna")
        marker = tmp_path / "marker"
        space = {"decoder.units": {"low": 1, "high": 99, "log": False, "step": None}}

        def tune(directory, executor, trials):
            settings = {"space": space, "trials": trials, "sampler": "tpe", "pruner": "none", "seed": 1000}
            given = {**config(), "task": {"name": "file", "train": str(marker)}}
            ends = []
            found, best = run_search(Search("study", given, settings, "exact_match"), directory, executor, ends.append)
            assert len(ends) == trials - already.pop(directory, 0)
            already[directory] = trials
            return [{**trial, "seconds": None, "reason": _without_log(trial)} for trial in found], best["number"]

        already = {}
        tune(tmp_path / "there", LocalProcesses(1, FAKE), 1)  # begun on this machine
        there = tune(tmp_path / "there", executor, 3)  # where the third trial loses its worker
        assert marker.exists()
        here = tune(tmp_path / "here", LocalProcesses(1, FAKE), 4)
        assert tune(tmp_path / "there", LocalProcesses(1, FAKE), 4) == here  # and finished here
        assert there[0] == here[0][:3]
        assert [trial["state"] for trial in here[0]] == ["complete", "failed", "complete", "complete"]
        assert here[0][1]["reason"] == "worker was killed by signal 9 (SIGKILL), perhaps out of memory; see LOG"

    def test_nodes_that_do_not_match(self, executor, cluster, monkeypatch):
        def check(cpus=1, packages=(), **changes):
            monkeypatch.setattr(ray_cluster, "_requirements", lambda packages: {**required, **changes})
            return ray_cluster.check_nodes(executor._ray, cluster.address, cpus, packages)

        required = ray_cluster._requirements(["rich"])
        assert {"seq2seq-zoo", "keras", "tensorflow", "pydantic", "rich"} <= required.keys()
        assert refusal(check, 9) == "--cpus: expected at most 1, the cores of the largest node, found 9."
        assert re.fullmatch(
            rf"Ray cluster {cluster.address}: expected rich 99 as here, found {required['rich']} on node [\d.]+\. "
            r"Install the same version in both\.",
            refusal(partial(check, packages=["rich"], rich="99")),
        )
        # Ray installs what a node lacks.
        assert check(**{"no-such-package": "1.2"}) == {"pip": ["no-such-package==1.2"]}


def _without_log(trial):
    return re.sub(r"logs/worker-\S+\.log", "LOG", trial.get("reason", ""))


def test_events_are_those_of_local_processes(cluster, tmp_path):
    kinds = ("progress", "raise", "kill", "nan", "object", "noise", "environment", "ok")
    cells = make_suite(kinds, units=1).cells

    def events_of(executor, directory):
        found = {}
        for event in executor.run(cells, directory):
            (event.get("result") or {}).pop("pid", None)
            event.pop("environment", None)
            assert event.pop("worker") >= 1
            if "reason" in event:
                event["reason"] = re.sub(r"worker-\S+\.log", "LOG", event["reason"])
            found.setdefault(event["id"], []).append(event)
        return found

    local = events_of(LocalProcesses(os.cpu_count() or 1, FAKE), tmp_path / "local")
    # From another machine, through the client server.
    with RayTasks(client_address(cluster), 1, FAKE) as executor:
        assert events_of(executor, tmp_path / "ray") == local
    log = "".join(path.read_text() for path in (tmp_path / "ray" / "logs").iterdir())
    for words in ("--- q-raise-basic-1-1", "ValueError: no such\nweather", "a child speaks", "a complaint"):
        assert words in log


# Ray Data reads all its own settings when it starts, also those that it deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
def test_predict_on_a_cluster_whose_node_is_killed_writes_the_bytes_of_one_process(cluster, tmp_path, monkeypatch):
    from cli.commands import call

    from seq2seq_zoo import AttentionDecoder, Encoder, Seq2Seq, Tokens
    from seq2seq_zoo.cli import bulk, ray_parts
    from seq2seq_zoo.data.vocabulary import Vocabulary
    from seq2seq_zoo.export import export

    letters = Vocabulary.build(["abcdefgh"], separator="")
    decoder = AttentionDecoder(4, readout=Tokens(len(letters)), max_length=4)
    model = Seq2Seq(Encoder(4, vocabulary_size=len(letters)), decoder, letters, letters)
    model.build((None, None))
    export(model, tmp_path / "exported", "onnx")
    chance = random.Random(0)
    lines = ("".join(chance.choices("abcdefghi", k=chance.randint(0, 12))) for _ in range(2000))
    (tmp_path / "in.txt").write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(bulk, "LINES", 1000)
    monkeypatch.setattr(bulk, "PART", 100)
    monkeypatch.setattr(ray_parts, "PARTS", 9)  # several datasets
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # undone after the test
    monkeypatch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")  # the command sets it too
    doomed = cluster.add_node(num_cpus=1)
    answer = ray_parts._answer
    killed = []

    def kill_a_node(*given):
        for number, row in enumerate(answer(*given), start=1):
            yield row
            if number == 3 and not killed:
                doomed.all_processes["raylet"][0].process.kill()
                killed.append(number)

    monkeypatch.setattr(ray_parts, "_answer", kill_a_node)
    command = ["predict", tmp_path / "exported", "--file", tmp_path / "in.txt", "--scores", "--out"]
    here = call(*command, tmp_path / "here.txt", "--workers", 1)
    there = call(*command, tmp_path / "there.txt", "--executor", "ray", "--address", cluster.address)
    cluster.worker_nodes.remove(doomed)
    assert (there.exit_code, there.stderr) == (0, here.stderr)
    assert killed
    assert (tmp_path / "there.txt").read_bytes() == (tmp_path / "here.txt").read_bytes()


SCRIPT = f"""
import sys
from test_runner import make_suite
from seq2seq_zoo.benchmark import runner
from seq2seq_zoo.benchmark.ray_tasks import RayTasks
with RayTasks(None, 1, {FAKE!r}) as executor:
    sys.exit(runner.run(make_suite(["ok", "sleep"], seeds=(1, 2)), sys.argv[1], executor))
"""


def test_without_an_address_ray_ends_with_the_run_and_ctrl_c_keeps_finished_cells(tmp_path):
    directory = tmp_path / "run"
    command = [sys.executable, "-c", SCRIPT, str(directory)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        finished = [directory / "records" / f"q-ok-basic-{seed}-.json" for seed in (1, 2)]
        wait_until(lambda: all(path.exists() for path in finished) or process.poll() is not None, LONG)
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=LONG)
    assert process.returncode == 130, errors
    assert "Stopped: 2 of 4 cells finished, " in output
    assert errors == ""
    assert children
    assert not any(map(is_running, children))


# === Clusters that cannot be used ===


def test_an_error_of_ray_is_one_line_with_its_reason():
    announced = ConnectionError(
        "Initialization failure from server:\nTraceback ...\n  File ...\nTimeoutError: no answer"
    )
    assert ray_cluster.line_of(announced) == "Initialization failure from server: TimeoutError: no answer."
    assert ray_cluster.line_of(ConnectionError("\nno such host\nmore")) == "no such host."


@pytest.mark.parametrize("address", ["somewhere", "ray://", "ray://somewhere", "http://somewhere:8265"])
def test_an_address_has_a_form(address):
    assert refusal(RayTasks, address) == (
        f"--address: expected ray://HOST:PORT, HOST:PORT or auto, found '{address}'. The ports of Ray are 10001 with "
        "ray:// and 6379 without."
    )


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_does_not_answer(form):
    address = form.format(free_port())
    assert refusal(RayTasks, address) == (
        f"Ray cluster {address}: expected an answer, found none. Check host and port (10001 with ray://, 6379 "
        "without), and that the port is open to this machine."
    )


def test_no_cluster_on_this_machine(monkeypatch):
    def found_none(*_, **__):
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr("ray.init", found_none)  # it would find the nodes that other programs have started here
    assert refusal(RayTasks, "auto") == (
        "--address auto: expected a node of a Ray cluster, found none on this machine. Start the command on a node, or "
        "name the cluster: ray://HOST:10001."
    )


def test_each_port_has_its_form_of_address(cluster):
    client = client_address(cluster).removeprefix("ray://")
    assert refusal(RayTasks, client).endswith(f"found another service. Did you mean 'ray://{client}'?")
    assert refusal(RayTasks, f"ray://{cluster.address}").endswith(
        f"found another service. Did you mean '{cluster.address}'?"
    )


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"RAY_AUTH_TOKEN": "another"}, "another one or none here"),
        ({"RAY_AUTH_MODE": "disabled"}, "another one or none here"),
        ({"RAY_AUTH_TOKEN": ""}, "no token here"),
    ],
)
def test_a_wrong_token(variables, found, cluster, tmp_path, monkeypatch):
    from ray._private.authentication_test_utils import reset_auth_token_state

    with monkeypatch.context() as patch:
        for name, value in {"HOME": str(tmp_path), **variables}.items():
            patch.setenv(name, value)
        reset_auth_token_state()  # which Ray reads once
        messages = {address: refusal(RayTasks, address) for address in (cluster.address, client_address(cluster))}
    reset_auth_token_state()
    for address, message in messages.items():
        assert message == (
            f"Ray cluster {address}: expected its token, found {found}. Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
            "RAY_AUTH_TOKEN_PATH: 'ray get-auth-token' on a node prints the token."
        )


@pytest.mark.parametrize("way", ["address", "client"])
def test_another_version_of_ray_or_python(way, cluster, monkeypatch):
    import ray

    address = cluster.address if way == "address" else client_address(cluster)
    there = (ray.__version__, ".".join(map(str, sys.version_info[:3])))
    monkeypatch.setattr("ray._private.utils.compute_version_info", lambda: ("1.0.0", "3.99.1"))
    assert refusal(RayTasks, address) == (
        f"Ray cluster {address}: expected Ray 1.0.0 and Python 3.99.1 as here, found Ray {there[0]} and Python "
        f"{there[1]}. Install the same versions in both."
    )

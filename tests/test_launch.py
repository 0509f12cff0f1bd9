"""Jobs of several processes: real ones, that meet, add up, fail, hang, are killed and interrupted."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from jaxgen import launch
from jaxgen.devices import processes
from jaxgen.devices.job import (
    KILL_SECONDS,
    Job,
    Size,
    find_free_port,
    worker_environment,
)
from jaxgen.devices.parting import FOLLOWED, HUNG
from jaxgen.devices.processes import LAUNCHER, JobOptions, find_place
from jaxgen.errors import UserError

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.first  # of processes, whatever they compute
linux = pytest.mark.skipif(sys.platform != "linux", reason="by what Linux tells of processes")
# From a worker's death, or a word, to the end of what waits for it: about a second where the machine is
# quiet; the workers of these tests sleep far longer.
END_SECONDS = 60.0
HANGS_SECONDS = 300.0  # of a whole job, whose processes have to start

WORKER = """
import os, signal, sys, time
import jax
from jax import lax
from jax import numpy as jnp
from jaxgen.cli import run_command
from jaxgen.errors import Interrupted, UserError
from jaxgen.devices import processes

def add_up(me):  # every device gives its process's number plus one
    own = jnp.full(jax.local_device_count(), 1.0 + me)
    return int(jax.pmap(lambda x: lax.psum(x, "d"), "d")(own)[0])

def say(*words):
    print(*words, flush=True)

def interrupt(*_):
    raise Interrupted("saved")

def main(args):
    what, who, *rest = args
    if "quick-heartbeat" in rest:
        processes.HEARTBEAT_SECONDS = 2
    processes.join(processes.JobOptions(coordinator_timeout=100))
    me = jax.process_index()
    if "term" in rest:
        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGINT, interrupt)
    if "deaf" in rest:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    say("sum", add_up(me), "of", jax.device_count(), processes.num_processes(), processes.is_main())
    if who in (str(me), "all"):
        say("at", time.monotonic())
        if what == "raise": raise ValueError("broken on purpose")
        if what == "refuse": raise UserError("This is wrong.")
        if what == "exit": sys.exit(7)
        if what == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if what == "add": return
    print("ready", file=sys.stderr, flush=True)
    while "collective" in rest:
        add_up(me)
    for _ in range(10_000):  # a signal may come just before a sleep, which does not hear it
        time.sleep(0.1)

run_command(main, sys.argv[1:])
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("launch") / "worker.py"
    path.write_text(WORKER)
    return path


def start(n: int, worker: Path, *args: str, devices: int = 1) -> subprocess.Popen:
    command = [sys.executable, "-m", "jaxgen.launch", "-n", str(n)]
    command += ["--devices-per-process", str(devices), "--", str(worker), *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


def finish(job: subprocess.Popen) -> tuple[list[str], str, float]:
    """(lines of stdout, stderr, seconds since the failure that a worker has announced)."""
    try:
        out, err = job.communicate(timeout=HANGS_SECONDS)
    finally:
        job.terminate()  # of no effect where it has ended
    stamp = re.search(r"^(?:\[\d\] )?at (\S+)$", out + err, re.MULTILINE)
    seconds = time.monotonic() - float(stamp[1]) if stamp else float("nan")
    return out.splitlines(), err, seconds


def await_ready(job: subprocess.Popen, n: int) -> None:
    """Read stderr until n workers are ready; what follows is left for `finish`."""
    ready = 0
    for line in job.stderr:
        ready += line.endswith("] ready\n")
        if ready == n:
            return
    raise AssertionError("the workers were not ready")


@pytest.mark.parametrize(("n", "devices"), [(2, 2), (4, 1)])
def test_all_devices_of_all_processes_add_up(worker, n, devices):
    job = start(n, worker, "add", "all", devices=devices)
    lines, err, _ = finish(job)
    assert job.returncode == 0, err
    wanted = f"sum {devices * n * (n + 1) // 2} of {devices * n} {n}"
    assert lines[0] == f"{wanted} True"  # stdout is worker 0's alone, without its number
    assert lines[-1].startswith("at ") and len(lines) == 2
    for rank in range(1, n):
        assert f"[{rank}] {wanted} False\n" in err
    assert "failed" not in err


# what fails, who, how many processes, what the others do: status, the last line
FAILURES = {
    "an exception": ("raise", 1, 4, "sleep", 1, "with status 1"),
    "an exception, the others wait for it": ("raise", 1, 2, "collective", 1, "with status 1"),
    "an exception, the others are deaf": ("raise", 1, 2, "deaf", 1, "with status 1"),
    "sys.exit": ("exit", 1, 2, "sleep", 7, "with status 7"),
    "one that refuses": ("refuse", 1, 2, "sleep", 2, "with status 2"),
    "the coordinator refuses": ("refuse", 0, 2, "collective", 2, "with status 2"),
    "killed": ("kill", 1, 2, "sleep", 137, "by signal SIGKILL"),
    "killed, the others wait for it": ("kill", 1, 4, "collective", 137, "by signal SIGKILL"),
    "the coordinator killed": ("kill", 0, 2, "sleep", 137, "by signal SIGKILL"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_worker_that_fails_ends_the_job_and_is_named(worker, case):
    what, who, n, rest, status, how = FAILURES[case]
    job = start(n, worker, what, str(who), rest)
    _, err, seconds = finish(job)
    last = err.splitlines()[-1]
    assert re.fullmatch(rf"worker {who} \(pid \d+\) failed first, {how}: the job is ended", last), (
        err
    )
    assert job.returncode == status
    assert seconds < END_SECONDS
    if what == "refuse":  # the other is told, and follows without a word
        (sentence,) = [
            line for line in err.splitlines() if not re.search(r"\] (sum|at|ready)|failed", line)
        ]
        assert sentence == f"[{who}] error: This is wrong."
    if what == "raise":
        assert f"[{who}] Traceback (most recent call last):\n" in err
        assert f"[{who}] ValueError: broken on purpose\n" in err


def test_a_refusal_of_all_is_one_sentence_each(worker):
    job = start(2, worker, "refuse", "all")
    _, err, seconds = finish(job)
    assert job.returncode == 2
    assert seconds < END_SECONDS
    for rank in (0, 1):
        assert err.count(f"[{rank}] error: This is wrong.\n") == 1
    assert "Traceback" not in err
    assert "Check failure" not in err  # jaxlib's abort of a process whose coordinator has gone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_reaches_all_and_they_end_by_themselves(worker, number):
    job = start(2, worker, "sleep", "none", "term")
    await_ready(job, 2)
    job.send_signal(number)
    _, err, _ = finish(job)
    assert sorted(line for line in err.splitlines() if "saved" in line) == [
        "[0] saved",
        "[1] saved",
    ]
    assert job.returncode == 130
    assert "failed" not in err


def test_a_second_interruption_ends_all_at_once(worker):
    job = start(2, worker, "sleep", "none", "deaf")
    await_ready(job, 2)
    job.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert job.poll() is None  # the workers take their time
    begin = time.monotonic()
    job.send_signal(signal.SIGINT)
    finish(job)
    assert time.monotonic() - begin < END_SECONDS
    assert job.returncode == 130


DEAF = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as one whose disk does not answer
run = Path("runs/two")
run.mkdir(parents=True, exist_ok=True)
(run / "config.json").touch()
print("ready", file=sys.stderr, flush=True)
time.sleep(1000)
"""


def test_a_person_waits_five_seconds_for_a_slow_save(tmp_path):
    """Then the workers are ended, and the launcher says how to go on where it knows."""
    usual = launch.LaunchOptions(num_processes=2).save_seconds
    # To SIGTERM, to SIGKILL, and to the end whatever the kernel holds.
    assert usual + 2 * KILL_SECONDS < 5
    (tmp_path / "train.py").write_text(DEAF)
    command = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--save-seconds", "0.2", "--"]
    command += ["train.py", "vae-digits", "--name", "two", "--mesh", "data=2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    job = subprocess.Popen(
        command, cwd=tmp_path, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes
    )
    await_ready(job, 2)
    begin = time.monotonic()
    job.send_signal(signal.SIGINT)
    _, err, _ = finish(job)
    assert time.monotonic() - begin < END_SECONDS
    assert job.returncode == 130
    own = shlex.join([launch.run.python_command(), *command[1:8]])
    assert err.splitlines()[-1] == (
        "stopped 0.2 s after Ctrl-C (--save-seconds), in the middle of a save perhaps: worker 0 and 1: "
        f"none is whole, so start again by {own} train.py --resume two --mesh data=2"
    )


def workers_of(job: subprocess.Popen) -> list[int]:
    text = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text()
    return [int(word) for word in text.split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@linux
def test_workers_end_with_a_launcher_that_is_killed(worker):
    """Nobody can tell them, and they would train on."""
    job = start(2, worker, "add", "nobody")
    await_ready(job, 1)
    pids = workers_of(job)
    assert len(pids) == 2 and all(map(runs, pids))
    job.kill()
    job.wait()
    begin = time.monotonic()
    while any(map(runs, pids)):
        assert time.monotonic() - begin < END_SECONDS
        time.sleep(0.01)
    for pipe in (job.stdout, job.stderr):
        pipe.close()


@linux
def test_a_stopped_worker_is_the_one_that_is_named(worker):
    """The others notice that it does not answer, and are ended for it: they are not to blame."""
    job = start(2, worker, "add", "nobody", "quick-heartbeat", "collective")
    await_ready(job, 1)
    pid = workers_of(job)[1]
    os.kill(pid, signal.SIGSTOP)
    _, err, _ = finish(job)
    assert re.search(
        rf"^worker 1 \(pid {pid}\) was stopped \(SIGSTOP, or a debugger\)", err, re.M
    ), err
    assert job.returncode == 128 + signal.SIGABRT and not runs(pid)


@pytest.mark.parametrize(
    ("ended", "failed", "stopped", "status", "blamed"),
    [
        ({0: FOLLOWED, 1: 2}, [0, 1], [], 2, "worker 1 (pid 12) failed first, with status 2"),
        (
            {0: -signal.SIGABRT, 1: 1},
            [0, 1],
            [],
            1,
            "worker 1 (pid 12) failed first, with status 1",
        ),
        ({0: -signal.SIGKILL, 1: HUNG}, [1], [0], HUNG, "worker 0 (pid 11) was stopped"),
        ({0: HUNG, 1: HUNG}, [1, 0], [], HUNG, "worker 1 (pid 12) failed first, with status 124"),
    ],
)
def test_the_cause_is_named_and_not_its_echo(ended, failed, stopped, status, blamed, capsys):
    job = Job(Size(2), [], 20_000, environment={}, save_seconds=1.0, going_on=str)
    job.workers = [SimpleNamespace(pid=11), SimpleNamespace(pid=12)]
    job.ended, job.failed, job.stopped = ended, failed, stopped
    assert job._status() == status
    assert capsys.readouterr().err.startswith(blamed)
    assert job.failure.startswith(blamed)


DIES = """
import os, signal, sys
from pathlib import Path
from jaxgen.devices.processes import PROCESS_ID
run, deaths = Path("runs/two"), Path("deaths")
run.mkdir(parents=True, exist_ok=True)
(run / "config.json").touch()
if os.environ[PROCESS_ID] == "1":
    seen = deaths.stat().st_size if deaths.exists() else 0
    with deaths.open("a") as file:
        file.write("x")
    if seen < int(sys.argv[-1] if sys.argv[-1].isdecimal() else sys.argv[-3]):
        os.kill(os.getpid(), signal.SIGKILL)
print(*sys.argv[1:])
"""


@pytest.mark.parametrize(("deaths", "restarts"), [(0, 2), (2, 2), (3, 2)])
def test_a_job_is_started_again_from_its_last_checkpoint(tmp_path, deaths, restarts):
    (tmp_path / "train.py").write_text(DIES)
    command = [sys.executable, "-m", "jaxgen.launch", "-n", "2", "--max-restarts", str(restarts)]
    command += ["--", "train.py", "vae-digits", "--name", "two", "--steps", str(deaths)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    lines = done.stderr.splitlines()
    failed = [line for line in lines if "failed first, by signal SIGKILL: the job is ended" in line]
    again = [line for line in lines if line.startswith("restart ")]
    assert len(failed) == min(deaths, restarts + 1) and len(again) == min(deaths, restarts)
    assert again == [
        f"restart {i + 1} of 2 in {2**i} s, from the last checkpoint" for i in range(len(again))
    ]
    assert done.returncode == (0 if deaths <= restarts else 128 + signal.SIGKILL)
    if deaths:
        times = {1: "once"}.get(len(again), f"{len(again)} times")
        first = failed[0].removesuffix(": the job is ended")
        assert lines[-1] == f"restarted {times}; the first failure: {first}"
    resumed = " --resume two" if deaths else ""
    if deaths <= restarts:
        last = f"vae-digits --name two --steps {deaths}{resumed}"
        assert done.stdout.splitlines()[-1] == last


def test_only_what_can_be_resumed_is_restarted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"--max-restarts goes with train\.py, .*, not with sum\.py: leave"
    ):
        launch.launch(["-n", "2", "--max-restarts", "1", "--", "sum.py"])
    new = ["train.py", "vae-digits", "--runs", "there"]
    assert launch.resuming(new) == new  # nothing was made yet
    (tmp_path / "there" / "vae-digits").mkdir(parents=True)
    (tmp_path / "there" / "vae-digits" / "config.json").touch()
    assert launch.resuming(new) == [*new, "--resume", "vae-digits"]
    assert launch.resuming([*new, "--resume", "vae-digits"])[-2:] == ["--resume", "vae-digits"]
    assert launch.resuming(["-m", "jaxgen", "train", *new[1:]])[-1] == "vae-digits"


def test_without_the_launcher_the_survivors_end_too(worker):
    """Heartbeats every second here, so that this is seconds; HEARTBEAT_SECONDS in real runs."""
    port = find_free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, worker, "kill", "1", "quick-heartbeat"],
            env=worker_environment(Size(2), port, rank),
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    processes[1].wait(HANGS_SECONDS)
    _, err = processes[0].communicate(timeout=HANGS_SECONDS)
    processes[1].stderr.close()
    assert processes[0].returncode == -signal.SIGABRT
    assert "stopped sending heartbeats" in err


def test_without_the_launcher_who_follows_says_whom(worker):
    """On a cluster each process has a log of its own."""
    port = find_free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, worker, "refuse", "1"],
            env=without_launcher(worker_environment(Size(2), port, rank)),
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert said[0] == "ready\nprocess 1 has stopped, and this one follows\n"
    assert said[1] == "error: This is wrong.\n"
    assert [process.returncode for process in processes] == [FOLLOWED, 2]


def without_launcher(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != LAUNCHER}


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"Port {port} .*Address already in use.*another --port"
        ):
            launch.launch(["-n", "2", "--port", str(port), "--", "none.py"])
        options = JobOptions(coordinator=f"127.0.0.1:{port}", num_processes=2, process_id=0)
        with pytest.raises(
            UserError, match=rf"Port {port} .*Address already in use.*--coordinator"
        ):
            processes.join(options)


@pytest.mark.parametrize(
    ("rank", "seconds", "message"),
    [
        (1, 3, r"No coordinator answers at 127.0.0.1:\d+ within 3 s \(Connection refused\): start"),
        (
            0,
            1,
            r"Not all of the 2 processes have come to the coordinator at 127.0.0.1:\d+ within 1 s",
        ),
    ],
)
def test_who_waits_in_vain_says_for_whom_and_leaves_nothing(tmp_path, rank, seconds, message):
    command = [sys.executable, "train.py", "vae-digits", "--runs", str(tmp_path)]
    command += ["--coordinator", f"127.0.0.1:{find_free_port()}", "--num-processes", "2"]
    command += ["--process-id", str(rank), "--coordinator-timeout", str(seconds)]
    begin = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_SECONDS)
    assert seconds < time.monotonic() - begin  # and the message says which patience has ended
    assert done.returncode == 2
    assert re.match(f"error: {message}", done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


BAD_PLACES = {
    "a part": ({"process_id": 1}, "--coordinator and --num-processes missing"),
    "no port": (
        {"coordinator": "host", "num_processes": 2, "process_id": 0}, "is host: give HOST:PORT",
    ),
    "a number too high": (
        {"coordinator": "host:1", "num_processes": 2, "process_id": 2}, "give 0 to 1",
    ),
    "both ways": ({"coordinator": "host:1", "distributed": True}, "leave out --coordinator"),
    "none": ({"num_processes": 0}, "--num-processes is 0: give 1 or more"),
    "negative": ({"process_id": -1}, "--process-id is -1"),
    "no time": ({"coordinator_timeout": 0.0}, "--coordinator-timeout is 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PLACES)
def test_contradictory_places_are_one_sentence(case):
    options, message = BAD_PLACES[case]
    with pytest.raises(UserError, match=message) as error:
        find_place(JobOptions(**options))
    assert len(str(error.value).splitlines()) == 1


def test_flags_go_before_the_environment(monkeypatch):
    assert find_place(JobOptions()) is None
    monkeypatch.setenv("JAXGEN_COORDINATOR", "host:1")
    monkeypatch.setenv("JAXGEN_NUM_PROCESSES", "4")
    monkeypatch.setenv("JAXGEN_PROCESS_ID", "3")
    assert find_place(JobOptions()) == ("host:1", 4, 3)
    assert find_place(JobOptions(process_id=2, coordinator="[::1]:2")) == ("[::1]:2", 4, 2)
    monkeypatch.setenv("JAXGEN_NUM_PROCESSES", "many")
    with pytest.raises(UserError, match=r"\$JAXGEN_NUM_PROCESSES is 'many'"):
        find_place(JobOptions())


def test_outside_a_cluster_there_is_nothing_to_detect():
    command = [sys.executable, "train.py", "vae-digits", "--distributed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_SECONDS)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --distributed finds neither SLURM, Open MPI")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-n 2 train.py vae-digits", "Put the command behind --"),
        ("-n 2 --", "Put the command behind --"),
        ("-- train.py", "--num-processes"),
        ("-n 0 -- train.py", "--num-processes is 0: give 1 or more"),
        ("-n 2 --devices-per-process 0 -- train.py", "--devices-per-process is 0"),
        ("-n 2 --port 70000 -- train.py", "--port is 70000: give 1 to 65535"),
        ("-n 2 --ports 7 -- train.py", "did you mean --port?"),
    ],
)
def test_bad_command_lines_are_one_sentence(line, message):
    with pytest.raises(UserError, match=re.escape(message)) as error:
        launch.launch(line.split())
    assert len(str(error.value).splitlines()) == 1


def test_workers_run_on_the_cpu_whatever_the_launcher_has(monkeypatch):
    flag = "--xla_force_host_platform_device_count"
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to=x {flag}=8")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    environment = worker_environment(Size(2, devices_each=3), 20_000, 1)
    assert environment["XLA_FLAGS"].split() == ["--xla_dump_to=x", f"{flag}=3"]
    assert environment["JAX_PLATFORMS"] == "cpu"
    assert environment["no_grpc_proxy"] == "127.0.0.1"
    assert environment["JAXGEN_COORDINATOR"] == "127.0.0.1:20000"


def test_the_launcher_needs_no_jax():
    code = "import sys, jaxgen.launch; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture(scope="module")
def known_flags() -> set[str]:
    command = [sys.executable, "train.py", "vae-digits", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z][a-z0-9.-]*", done.stdout))


def flags_after_train(text: str) -> list[str]:
    """The flags of the command that starts with train.py, its continued lines joined."""
    command = re.search(r"train\.py(.*)", text.replace("\\\n", " "))[1]
    return re.findall(r"--[a-z][a-z0-9.-]*", command)


def test_the_sbatch_file_is_bash_and_gives_flags_that_exist(known_flags):
    path = ROOT / "docs" / "slurm.sbatch"
    subprocess.run(["bash", "-n", path], check=True)
    flags = flags_after_train(path.read_text())
    assert "--distributed" in flags
    assert set(flags) <= known_flags
    settings = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)", path.read_text(), re.MULTILINE))
    # jax gives each task the one GPU of its local number: as many tasks as GPUs.
    assert settings["nodes"] == "2"
    assert settings["ntasks-per-node"] == settings["gpus-per-node"] == "8"


def test_the_jobset_fits_together_and_gives_flags_that_exist(known_flags):
    jobset = yaml.safe_load((ROOT / "docs" / "jobset.yaml").read_text())
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (job,) = jobset["spec"]["replicatedJobs"]
    hosts = job["template"]["spec"]
    assert hosts["parallelism"] == hosts["completions"] == 4
    (container,) = hosts["template"]["spec"]["containers"]
    script = container["args"][0]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    flags = flags_after_train(script)
    assert set(flags) <= known_flags
    assert {"--coordinator", "--num-processes", "--process-id"} <= set(flags)
    name, subdomain = jobset["metadata"]["name"], jobset["spec"]["network"]["subdomain"]
    host = f"{name}-{job['name']}-0-0.{subdomain}"  # JobSet's name of the first pod
    port = next(p["containerPort"] for p in container["ports"] if p["name"] == "coordinator")
    assert f"--coordinator {host}:{port} " in script
    assert "--num-processes 4 " in script

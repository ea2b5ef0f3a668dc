"""`seq2seq-zoo play`."""

import json
import signal
import socket
import urllib.error
import urllib.request

import pytest

from cli.commands import refused, started
from seq2seq_zoo.cli.play import HOST, PLAYED
from seq2seq_zoo.system.model_file import find_model


def test_play_serves_the_page_on_this_machine_until_ctrl_c(first_25, folder):
    with started("play", first_25.directory, "--no-browser") as process:
        address = process.stdout.readline().strip()
        assert address.startswith(f"http://{HOST}:")
        site = json.loads(urllib.request.urlopen(f"{address}models.json", timeout=10).read())
        assert [each["name"] for each in site["models"]] == ["first_25"]
        script = urllib.request.urlopen(f"{address}main.js", timeout=10)
        assert script.headers["Content-Type"] == "text/javascript"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}../models.jso", timeout=10)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert error == "Exporting 1 model for the browser: a few seconds each …\nCtrl-C ends this.\n"


def test_play_refuses_a_port_that_is_taken_and_a_model_that_is_not_there(first_25, folder):
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        message = refused("play", first_25.directory, "--no-browser", "--port", port)
    assert message == f"--port {port}: Address already in use. Leave --port out for a free one."
    assert refused("play", "none", "--no-browser").startswith("none: no such file")


def test_the_models_that_are_played_with_are_in_the_zoo():
    for name in PLAYED:
        find_model(name)

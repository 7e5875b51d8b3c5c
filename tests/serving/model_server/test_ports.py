import socket
import subprocess
import sys

import pytest

from emotion_faces.errors import UserError
from emotion_faces.model_server import flags, ports, settings


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_held_port_refuses_callers_and_lets_the_server_listen_beside_it():
    port = free_port()
    with ports.hold("--port", "127.0.0.1", port):
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) != 0
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()


def test_a_port_in_use_names_the_flag():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port} can't be opened .*--rest-port"):
            ports.hold("--rest-port", "127.0.0.1", port)


def test_an_address_of_another_machine_is_told():
    with pytest.raises(UserError, match=r"192\.0\.2\.1:80.*can't be opened"):
        ports.hold("--port", "192.0.2.1", 80)


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_what_is_no_port(port):
    with pytest.raises(UserError, match=f"--port takes a port from 0 to 65535; found {port}"):
        ports.check("--port", port)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], {"localhost", "127.0.0.1", "::1"}),
        (["--host=::1", "--rest_api_allowed_hosts=Faces.test"], {"localhost", "127.0.0.1", "::1", "faces.test"}),
        (["--host=localhost"], {"localhost", "127.0.0.1", "::1"}),
        (["--host=0.0.0.0"], None),
        (["--host=192.0.2.1"], None),
    ],
)  # fmt: skip
def test_names_that_rest_is_called_by(arguments, names):
    assert settings.rest_hosts(flags.parse(arguments)[0]) == names


@pytest.mark.parametrize(
    ("arguments", "may"),
    [
        (["--model_base_path=/m"], False),
        (["--model_config_file=/m"], True),
        (["--model_base_path=/m", "--allow_reload_config=true"], True),
        (["--model_config_file=/m", "--allow_reload_config=false"], False),
    ],
)
def test_who_may_reload(arguments, may):
    assert settings.may_reload(flags.parse(arguments)[0]) is may


def test_allow_reload_config_takes_three_words():
    with pytest.raises(
        UserError, match="--allow_reload_config takes auto, true, false; found 'no'"
    ):
        flags.parse(["--allow_reload_config=no"])


_LIMIT = """
import resource
from emotion_faces.model_server import ports
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
ports.allow_connections()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))
"""


def test_as_many_connections_are_allowed_as_the_system_lets():
    done = subprocess.run(
        [sys.executable, "-c", _LIMIT], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "True\n", done.stderr

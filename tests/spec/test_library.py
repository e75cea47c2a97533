"""liblazychat as other programs get it: installed, found by pkg-config, of lazychat.h and nothing else."""

import os
import re
import shutil
import subprocess

import pytest

from programs import LAZYCHAT

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["BUILD"]


def run(*command, **more):
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def functions():
    with open(f"{ROOT}/include/lazychat.h", encoding="utf-8") as file:
        header = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return set(re.findall(r"\b(lazychat_\w+)\(", header))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A copy as `meson install` leaves it, and the environment in which pkg-config finds it there."""
    if shutil.which("pkg-config") is None:
        pytest.skip("pkg-config is not installed")
    place = tmp_path_factory.mktemp("installed")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", str(place))
    [found] = place.rglob("lazychat.pc")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(found.parent), PKG_CONFIG_SYSROOT_DIR=str(place))
    [library] = place.rglob("liblazychat.so.0")
    environment["LD_LIBRARY_PATH"] = str(library.parent)
    return place, environment


def test_only_the_header_is_exported(installed):
    place, _ = installed
    [library] = place.rglob("liblazychat.so.0")
    symbols = {line.split()[-1].split("@")[0] for line in run("nm", "-D", "--defined-only", str(library)).splitlines()}
    assert symbols - {"LAZYCHAT_0"} == functions()
    assert "SONAME               liblazychat.so.0\n" in run("objdump", "-p", str(library))


def test_a_program_outside_the_tree(installed, serve, start, tmp_path):
    """The example is as short as it claims, builds by nothing but pkg-config, and works; the header is clean C11."""
    _, environment = installed
    server = serve("--data", str(tmp_path / "data"))
    source = f"{ROOT}/examples/echo.c"
    with open(source, encoding="utf-8") as file:
        assert len(file.readlines()) < 60
    flags = run("pkg-config", "--cflags", "--libs", "lazychat", env=environment).split()
    assert "-llazychat" in flags and "-lusrsctp" not in flags
    program = str(tmp_path / "echo")
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", source, *flags, "-o", program, env=environment)
    echo = start([program, f"127.0.0.1:{server.port}"], env=environment)
    echo.err.wait_text("lobby: in")
    ann = start([LAZYCHAT, "--store", str(tmp_path / "store"), f"127.0.0.1:{server.port}"])
    ann.say("hello")
    ann.out.wait_text("echo: hello\n")


def test_manual_names_each_function():
    with open(f"{ROOT}/man/lazychat.3", encoding="utf-8") as file:
        manual = file.read()
    assert set(re.findall(r"^\.Fn (lazychat_\w+) ", manual, re.M)) >= functions()
    assert set(re.findall(r"^\.Nm (lazychat_\w+)", manual, re.M)) == functions()


def test_manual_lint():
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    run("mandoc", "-T", "lint", "-W", "warning", f"{ROOT}/man/lazychat.3")

"""The program: its command lines, list, show and plot, progress and interrupts."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

import cortexsim
from cli_examples import SERIES, fill_folder, refused
from cortexsim import catalogue, cli
from cortexsim.cli_progress import Interrupts, Progress
from cortexsim.errors import GraphError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return fill_folder(tmp_path, monkeypatch)


# --- the program ---

def test_version_help_and_nothing(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"cortexsim {cortexsim.__version__}\n"
    assert cli.main([]) == 0
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "list", "show", "plot", "doctor", "bench", "data"])
def test_every_command_and_option_has_a_help(capsys, command):
    assert cli.main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: cortexsim {command}" in text
    for action in cli.parsers()[command]._actions:
        assert action.help, action.dest
        assert all(option in text for option in action.option_strings)


@pytest.mark.parametrize(("argv", "message"), [
    (["rnu"], "command 'rnu': is not known; did you mean 'run'?"),
    (["--vershion"], "option --vershion: is not known to 'cortexsim'; did you mean '--version'?"),
    (["run", "x", "--tiks=3"], "option --tiks: is not known to 'cortexsim run'; did you mean '--ticks'?"),
    (["list", "more"], "argument 'more': is one more than 'cortexsim list' takes"),
    (["run"], "command line of 'cortexsim run': the following arguments are required: NAME; cortexsim run --help"),
    (["run", "x", "--ticks", "-3"], "argument --ticks: must be a whole number of at least 1 (got '-3')"),
    (["run", "x", "--ticks", "many"], "argument --ticks: must be a whole number of at least 1 (got 'many')"),
    (["run", "x", "--seed", "-1"], "argument --seed: must be a whole number of at least 0 (got '-1')"),
    (["run", "x", "--blanks", "kept"], "argument --blanks: invalid choice: 'kept'"),
])
def test_misspelt_command_lines(capsys, argv, message):
    assert message in refused(capsys, *argv)


def test_debug_lets_an_error_through(folder):
    with pytest.raises(GraphError, match="matches no edge"):
        cli.main(["run", "eye.toml", "--lesion", "nothing->code", "--debug"])


# --- list and show ---

def test_list_names_graphs_kinds_and_streams(capsys, monkeypatch, folder):
    monkeypatch.setattr(catalogue, "folder", lambda: folder)
    (folder / "broken.toml").write_text("[regions.V1]\nkind = 'dleta'")
    assert cli.main(["list"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^  eye +A small eye$", text, re.M)
    one_line = " ".join(text.split())
    assert re.search(r" broken cannot be read: .*did you mean 'delta'.* eye A small eye ", one_line), "others follow"
    assert re.search(r"^  forecast +forecasts columns of any numeric CSV file", text, re.M)
    assert re.search(r"^  delta +predicts its target by a linear map", text, re.M)
    assert re.search(r"^  glimpses +Glimpses of a photograph", text, re.M)


def test_show_prints_regions_with_reasons_edges_plan_memory_and_cost(capsys, folder):
    assert cli.main(["show", "eye.toml", "--threads", "2"]) == 0
    text = capsys.readouterr().out
    for line in (
            r"^eye +A small eye. It is for tests.$", r"^  source +A paper.$",
            r"^  stream +name = glimpses, fovea = 4, surround = 2, surround_span = 8, ticks = 300$",
            r"^  fovea +4 x 4: what is seen$", r"^  saccade +2 values, known before the outcome$",
            r"^  code: subspace, every tick; state 6 values, ", r"^ +predicts +fovea@0$",
            r"^ +from +code.state@1, saccade@0$", r"^ +constants +learning_rate = 0.2$",
            r"^ +by default +decay = 0, floor = 0.01, normalise = true, ", r"^ +why +small steps$",
            r"^ +source +Another paper.$", r"^  slow: delta, every 2 ticks from tick 0;", r"^ +only when +saccade@0$",
            r"^ +from +fovea@2 \(window\(kernel=3\)\), next.error@1$",
            r"^ +constants +all as the kind has them$",
            r"^  fovea.value@2->slow +context +2 +window\(kernel=3\)$", r"^plan of eye: 2 sources, 3 regions, 8 edges$",
            r"^memory: about \d+\.\d\d MiB", r"^cost of a mean tick, with all gates open: about \d+\.\d+ Mflop"):
        assert re.search(line, text, re.M), line


def test_show_draws_the_delays_of_one_signal_together(capsys, folder):
    context = ", ".join(f'"x@{delay}"' for delay in (1, 2, 3, 7))
    (folder / "series.toml").write_text(SERIES.replace('"x@1", "x@2"', context))
    cli.main(["show", "series.toml"])
    assert re.search(r"^ +from +x@1..3, x@7$", capsys.readouterr().out, re.M)


def test_show_prints_a_kind_and_what_forecast_is(capsys):
    assert cli.main(["show", "delta"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^learning_rate +0.05 +1/tick +a number in \[0, 2\] +step size", text, re.M)
    assert re.search(r"^output +linear +one of linear, sigmoid, softmax \(structural\)", text, re.M)
    assert cli.main(["show", "forecast"]) == 0
    assert "cortexsim run forecast --data FILE.csv --column NAME" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("argv", "message"), [
    (["show", "detla"], "graph or kind 'detla': is not known; did you mean 'delta'?"),
    (["show", "./none.toml"], "none.toml': cannot be read"),
    (["show", "no.module:thing"], "kind 'no.module:thing': cannot be imported"),
    (["run", "glimpse"], "graph 'glimpse': is not in the catalogue; did you mean 'glimpses'?"),
    (["run", "forcast"], "graph 'forcast': is not in the catalogue; did you mean 'forecast'?"),
    (["run", "series"], "a file is written ./series.toml"),
    (["plot", "nowhere"], "folder 'nowhere': there is no such folder"),
])
def test_names_that_are_not_known(capsys, folder, argv, message):
    assert message in refused(capsys, *argv)


# --- plot ---

def test_plot_draws_again_what_is_asked_for(capsys, folder):
    assert cli.main(["run", "eye.toml", "--quiet", "--out", "a"]) == 0
    picture = folder / "a" / "learning_curves.png"
    first = picture.read_bytes()
    picture.unlink()
    assert cli.main(["plot", "a"]) == 0
    assert capsys.readouterr().out == "in a: learning_curves.png, graph.png\n" and picture.read_bytes() == first
    assert cli.main(["plot", "a", "--regions", "co*", "next", "--measure", "loss"]) == 0
    assert picture.read_bytes() != first
    capsys.readouterr()
    message = refused(capsys, "plot", "a", "--regions", "cod")
    assert message == "option --regions: no region matches 'cod'; did you mean 'code'?"
    assert "did you mean 'skill'?" in refused(capsys, "plot", "a", "--measure", "skil")


# --- what files may import ---

def test_a_kind_from_outside_needs_leave_in_every_command(capsys, folder):
    kind = "contract.fake_kinds:Sense"
    text = SERIES.replace('predicts = "x"\n', f'predicts = "x"\nkind = "{kind}"\n')
    (folder / "series.toml").write_text(text.replace('context = ["x@1", "x@2"]\n', ""))
    for command in (["run", "series.toml", "--out", "a", "--quiet"], ["show", "series.toml"], ["plot", "a"],
                    ["show", "a"], ["doctor", "a", "--quiet"]):
        message = refused(capsys, *command)
        assert f"kind '{kind}' is outside the package" in message and f"--allow-kind {kind}" in message
        assert cli.main([*command, "--allow-kind", "contract.*"]) in (0, 1), command
        capsys.readouterr()
    assert cli.main(["show", kind]) == 0, "the caller's own word"


# --- progress and interrupts ---

class Screen(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_and_anything_else_lines():
    screen = Screen()
    bar = Progress(100, file=screen)
    bar.update(40)
    bar.close()
    assert "ticks/s" in screen.getvalue() and "100" in screen.getvalue()
    log, silent = io.StringIO(), io.StringIO()
    for file, quiet in ((log, False), (silent, True)):
        lines = Progress(2000, quiet, file)
        for elapsed, wanted in ((0.5, 0), (1.5, 1), (2.0, 1), (4.0, 2)):
            lines.started = time.perf_counter() - elapsed
            lines.update(500)
            assert file.getvalue().count("\n") == (0 if quiet else wanted)
    assert re.match(r"1,000 of 2,000 ticks, [\d,]+ ticks/s\n", log.getvalue())


def test_a_run_that_goes_on_counts_what_was_done_but_not_in_its_pace():
    log = io.StringIO()
    lines = Progress(2000, file=log, done=1000)
    lines.started = time.perf_counter() - 2.0
    lines.update(500)
    assert re.match(r"1,500 of 2,000 ticks, 2[45]\d ticks/s\n", log.getvalue())


def test_what_is_said_beside_a_bar_stands_on_a_line_of_its_own():
    for screen, quiet in ((Screen(), False), (io.StringIO(), True)):
        bar = Progress(100, quiet, screen)
        bar.update(40)
        bar.say("cortexsim: warning: the disk is full")
        bar.close()
        assert re.search(r"(^|\r)cortexsim: warning: the disk is full\n", screen.getvalue())


def test_the_first_interrupt_asks_the_second_breaks():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        assert interrupts.asked == 0
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.asked == signal.SIGTERM
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_that_may_not_set_signals_goes_without():
    seen = []

    def enter():
        with Interrupts() as interrupts:
            seen.append(interrupts.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [0]


# --- processes of their own ---

def test_a_pipe_that_closes_early_is_no_error(folder):
    with subprocess.Popen([sys.executable, "-m", "cortexsim", "show", "eye.toml"], text=True, stderr=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 141)


def test_the_program_as_a_module(folder):
    done = subprocess.run([sys.executable, "-m", "cortexsim", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"cortexsim {cortexsim.__version__}\n")
    done = subprocess.run([sys.executable, "-m", "cortexsim", "run", "eye.tml"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("cortexsim: error: graph 'eye.tml'")

"""The program ``cortexsim``: its commands and options, and what becomes of errors."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cortexsim import __version__
from cortexsim.cli_bench import bench
from cortexsim.cli_data import data
from cortexsim.cli_doctor import doctor
from cortexsim.cli_plot import plot
from cortexsim.cli_run import run
from cortexsim.cli_show import list_all, show
from cortexsim.errors import CortexsimError, InputError, nearest
from cortexsim.measures import MEASURES
from cortexsim.timestamps import GAPS
from cortexsim.trust import importing_only

RUN = """\
Run a region graph on its stream of input: learn, watch, and write the results.

NAME is a ready-made graph (cortexsim list), the path of a TOML file, or "forecast", which forecasts columns of a CSV
file, each beside what simple methods say at the same ticks. The run ends with a table: the skill of a region is 1 -
loss / loss of the running mean over the last tenth of the run, beside it the skill of forecasting the last value.
"""
RUN_EXAMPLES = """\
examples:
  cortexsim run glimpses
  cortexsim run glimpses --image photo.jpg --ticks 20000 --seed 1
  cortexsim run glimpses --set "*.learning_rate=0.02" --lesion "saccade->*" --out runs/no-saccade
  cortexsim run runs/no-saccade/graph.toml --seed 1     (the same run again)
  cortexsim run forecast --data co2.csv --column co2 --blanks skip
  cortexsim run forecast --data river.csv --column rain --column flow --horizon 3
  cortexsim run forecast --data taxi.csv --column value --time timestamp --calendar day,week --horizon 1..48

  cortexsim run glimpses --ticks 10000000 --checkpoint-every 100000 --out runs/long
  cortexsim run --resume runs/long                      (goes on, whatever had stopped it)

Ctrl-C ends a run early: everything up to that tick is written, and the exit code is 130; a second one does not wait for
the stream. Errors are one line and the exit code 2.
"""

DATA = """\
List the data from outside that examples and experiments use: origin, licence, size, SHA-256, and where it is here.

It is looked for in the folder that CORTEXSIM_DATA names, then in the cache, where "get" downloads it to; every file is
checked before it gets its name. Downloads need pooch: pip install "cortexsim[data]".
"""
DATA_EXAMPLES = """\
examples:
  cortexsim data
  cortexsim data nab                 (its files, their checksums and addresses)
  cortexsim data get nab text
  cortexsim data get all --to ~/data
"""


class Parser(argparse.ArgumentParser):
    """Its errors look like all others of the program, and misspelt options get the nearest one."""

    def error(self, message: str) -> NoReturn:
        """Raise an InputError instead of printing the usage and leaving."""
        raise InputError(f"command line of {self.prog!r}", message, hint=f"{self.prog} --help tells more")

    def reject(self, unknown: Sequence[str]) -> None:
        """Raise an InputError for the first argument that no option took."""
        for text in unknown:
            if text.startswith("-"):
                options = [option for action in self._actions for option in action.option_strings]
                raise InputError(f"option {text.partition('=')[0]}", f"is not known to {self.prog!r}",
                                 hint=nearest(text.partition("=")[0], options))
            raise InputError(f"argument {text!r}", f"is one more than {self.prog!r} takes")


def whole(low: int) -> type:
    """A type of option: a whole number from `low` up."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {low} (got {text!r})")
        return number

    return convert  # type: ignore[return-value]


def several(number: type) -> type:
    """A type of option: numbers parted by commas, ranges of whole ones as ``1..48``."""

    def convert(text: str) -> list[float]:
        try:
            made: list[float] = []
            for part in text.split(","):
                low, dots, high = part.partition("..")
                made += range(int(low), int(high) + 1) if dots and number is int else [number(part)]
            if number is int and (min(made) < 1 or len(set(made)) < len(made)):
                raise ValueError
        except ValueError:
            what = "whole numbers of at least 1, each once: 3, or 1,3,5, or 1..48" if number is int else (
                "numbers parted by commas")
            raise argparse.ArgumentTypeError(f"must be {what} (got {text!r})") from None
        return made

    return convert  # type: ignore[return-value]


def words(text: str) -> list[str]:
    """A type of option: words parted by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def parsers() -> dict[str, Parser]:
    """The parsers: of the program itself under "", and of each command."""
    top = Parser("cortexsim", description="Graphs of predictive regions that learn online from real input.",
                 epilog="cortexsim COMMAND --help tells more.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"cortexsim {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    found = {"": top}
    for name, help_text, action, fill in (
            ("run", "run a region graph and write its learning curves", run, _run_options),
            ("list", "name the ready-made graphs, the kinds of region and the streams", list_all, None),
            ("show", "print a graph with its plan, memory and cost, or a kind", show, _show_options),
            ("plot", "draw the pictures of a run again", plot, _plot_options),
            ("doctor", "find what is wrong in a run or a graph, and the remedy", doctor, _doctor_options),
            ("data", "list and download the data that examples and experiments use", data, _data_options),
            ("bench", "measure the speed, beside the machine's limit and other programs", bench, _bench_options)):
        command = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".",
                                      allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        command.set_defaults(action=action)
        command.add_argument("--debug", action="store_true", help="let an error show where it was raised")
        if fill is not None:
            fill(command)
        found[name] = command
    return found


def _run_options(command: Parser) -> None:
    command.description, command.epilog = RUN, RUN_EXAMPLES
    add = command.add_argument
    add("name", metavar="NAME", nargs="?", help='a ready-made graph, a TOML file, or "forecast"; none with --resume')
    add("--ticks", type=whole(1), metavar="N", help="how long; default: ticks of the graph's [stream] table, or to the "
        "end of the data")
    add("--seed", type=whole(0), metavar="S", help="of initial weights and of the stream (default 0)")
    add("--threads", type=whole(1), metavar="N", help="worker threads; results do not depend on them (default 1)")
    add("--out", metavar="DIR", help="folder of the results (default runs/NAME-N, the first that is free)")
    add("--force", action="store_true", help="use --out even if it is not empty")
    add("--quiet", action="store_true", help="print nothing but errors")
    _allow_option(command)
    safe = command.add_argument_group("checkpoints")
    safe.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="write one into DIR/checkpoints every N "
                      "ticks, and at the end, however it comes")
    safe.add_argument("--keep", type=whole(1), metavar="K", help="how many of the newest stay (default 3)")
    safe.add_argument("--resume", metavar="DIR", help="go on from the newest checkpoint in the folder of a run, to the "
                      "same end with the same bits; --ticks names a later one")
    change = command.add_argument_group("changes to the graph, each as often as needed")
    change.add_argument("--set", action="append", default=[], metavar="REGION.HYPER=VALUE",
                        help="a hyperparameter of a region, or of all that a wildcard matches")
    change.add_argument("--lesion", action="append", default=[], metavar="EDGE",
                        help='cut an edge: its name, "a->b", or wildcards: "saccade->*"')
    change.add_argument("--freeze", action="append", default=[], metavar="REGION",
                        help="let a region, or all that a wildcard matches, not learn")
    feed = command.add_argument_group("changes to the stream")
    feed.add_argument("--stream", action="append", default=[], metavar="KEY=VALUE",
                      help="an entry of the [stream] table; may be given several times")
    feed.add_argument("--image", metavar="FILE", help="the photograph to look at: short for --stream image=FILE")
    forecast = command.add_argument_group("only for 'cortexsim run forecast'")
    forecast.add_argument("--data", metavar="FILE.csv", help="a file of numbers with a row of names; columns "
                          "that are not asked for may hold anything")
    forecast.add_argument("--column", action="append", metavar="NAME",
                          help="a column to forecast; may be given several times")
    forecast.add_argument("--horizon", type=several(int), metavar="H", help="how many rows ahead: 3, or 1,3,5, or "
                          "1..48 (default 1)")
    forecast.add_argument("--graph", metavar="NAME", help="a ready-made graph or a TOML file that predicts 'value' "
                          "(default: changes, made for these columns)")
    forecast.add_argument("--time", metavar="NAME", help="the column of timestamps")
    forecast.add_argument("--calendar", type=words, metavar="CYCLES", help="what of the time the forecasts are "
                          "told: day, week, year, or several: day,week")
    forecast.add_argument("--gaps", choices=GAPS, help="timestamps left out or twice: stop, take the rows as they "
                          "come, or fill in ticks without a value (default error)")
    forecast.add_argument("--blanks", choices=("error", "skip", "keep"), help="rows with a blank cell in these "
                          "columns: stop, leave them out, or keep them as ticks without a value (default error)")
    forecast.add_argument("--season", type=whole(1), metavar="N", help="rows of a season, for the seasonal naive "
                          "forecast (default: from the timestamps, or found in the data)")
    forecast.add_argument("--lags", type=whole(1), metavar="N", help="past steps that RLS-AR, and the regions of "
                          "'changes', are told (default: a twelfth of the rows, at most 53)")
    forecast.add_argument("--quantiles", type=several(float), metavar="Q", help="to forecast, too (default "
                          "0.1,0.25,0.5,0.75,0.9)")
    forecast.add_argument("--score-from", type=whole(0), metavar="N", help="the first row that is scored (default: the "
                          "second half)")


def _allow_option(command: Parser) -> None:
    command.add_argument("--allow-kind", action="append", default=[], metavar="NAME", help="a kind or stream from "
                         "outside the package that a file may import, such as mylab.rules:gain; wildcards allowed")


def _show_options(command: Parser) -> None:
    command.add_argument("name", metavar="NAME", help="a ready-made graph, a TOML file, or a kind")
    command.add_argument("--threads", type=whole(1), default=1, metavar="N",
                         help="plan for so many threads (default 1)")
    _allow_option(command)


def _plot_options(command: Parser) -> None:
    command.description = ("Draw learning_curves.png and graph.png of a run again, from its curves.npz and graph.toml.")
    command.add_argument("folder", metavar="DIR", help="the folder of a run")
    command.add_argument("--regions", nargs="+", metavar="REGION", help="only these, wildcards allowed")
    command.add_argument("--measure", default="skill", metavar="MEASURE",
                         help=f"what the curves show: {', '.join(MEASURES)} (default skill)")
    _allow_option(command)


def _doctor_options(command: Parser) -> None:
    command.description = ("Find what is wrong in a run, or in a graph that is run for it, with the evidence and the "
                           "remedy. The exit code is 0 where there is no problem, 1 where there is one (notes do not "
                           "count), 2 after an error.")
    add = command.add_argument
    add("name", metavar="DIR|NAME", help="the folder of a run, whose newest checkpoint is taken; or a ready-made graph "
        "or TOML file, which is run on its stream first")
    add("--ticks", type=whole(1), metavar="N", help="how long NAME is run first (default: as its [stream] table says, "
        "at most 20,000)")
    add("--seed", type=whole(0), metavar="S", help="of that run (default 0)")
    add("--edge-ticks", type=whole(1), metavar="N", help="for how long each edge is silenced on a copy (default 512, "
        "more where delays, periods or trials are long)")
    add("--json", action="store_true", help="print the report for other programs")
    add("--quiet", action="store_true", help="print nothing but errors (and --json): the exit code tells")
    _allow_option(command)


def _bench_options(command: Parser) -> None:
    command.description = ("Measure the machine's own limit, then how near to it cortexsim comes, and what others "
                           "reach at the same work, in about five minutes. Needs a checkout.")
    add = command.add_argument
    add("--quick", action="store_true", help="one minute: fewer sizes, samples and peers")
    add("--json", metavar="FILE", help="write all figures, with machine, versions and spread")
    add("--pictures", metavar="DIR", help="draw limit.png and peers.png there")
    add("--compare", metavar="OLD.json", help="show what got slower since, as ratios to the limit of each run")


def _data_options(command: Parser) -> None:
    command.description, command.epilog = DATA, DATA_EXAMPLES
    add = command.add_argument
    add("words", nargs="*", metavar="NAME", help='data sets to tell more of; after "get", those to download, or "all"')
    add("--to", metavar="DIR", help="download to a folder in it instead of the cache")
    add("--json", action="store_true", help="print what there is for other programs")
    add("--quiet", action="store_true", help="download without a progress bar, and print nothing but errors")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read a command line.

    Parameters
    ----------
    argv : sequence of str
        Without the name of the program.

    Returns
    -------
    argparse.Namespace
        With ``action``, the function to call with it.

    Raises
    ------
    InputError
        What argparse does not understand; misspelt commands and options get the nearest one.
    SystemExit
        After ``--help`` and ``--version``.
    """
    known = parsers()
    first = next((text for text in argv if not text.startswith("-")), None)
    if first is not None and first not in known:
        raise InputError(f"command {first!r}", "is not known", hint=nearest(first, [name for name in known if name]))
    if not argv:
        known[""].print_help()
        raise SystemExit(0)
    options, unknown = known[""].parse_known_args(argv)
    known[options.command or ""].reject(unknown)
    if options.command is None:
        raise InputError("command", "is missing", hint="one of " + ", ".join(name for name in known if name))
    options.argv = list(argv)
    return options


def allowed(options: argparse.Namespace) -> list[str]:
    """What may be imported from outside the package: what the command line allows, or names itself.

    Examples
    --------
    >>> allowed(parse(["run", "mine.toml", "--stream", "name=mylab.data:Eye", "--allow-kind", "mylab.rules:*"]))
    ['mylab.rules:*', 'mylab.data:Eye']
    """
    streams = [text.partition("=")[2].strip() for text in getattr(options, "stream", [])
               if text.partition("=")[0].strip() == "name"]
    kinds = [options.name] if options.command == "show" else []
    return [*getattr(options, "allow_kind", []), *streams, *kinds]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        The command line without the name of the program; by default that of the process.

    Returns
    -------
    int
        The exit code: 0, 1 where doctor has found a problem, 2 after an error, 130 after Ctrl-C.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        options = parse(argv)
        with importing_only(allowed(options)):
            code = options.action(options)
        # here, where a pipe that has closed can be answered, and not as the interpreter ends
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return int(stop.code or 0)
    except CortexsimError as error:
        if "--debug" in argv:
            raise
        print(f"cortexsim: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cortexsim: interrupted before anything was written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader of a pipe has seen enough; the interpreter would complain once more as it closes stdout
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141

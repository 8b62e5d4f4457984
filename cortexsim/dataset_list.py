"""Which data from outside examples and experiments use: every file with its origin, size, checksum and licence.

None of it comes with the package. A file whose `sources` are given can be downloaded; where its origin serves it in
another form, `convert` names the function of downloads.py that makes this file of it, and the checksum is that of the
file made. `by_hand` says why the files of a set cannot be downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    Parameters
    ----------
    path : str
        Within the folder of its set, with ``/``.
    size : int
        Bytes.
    sha256 : str
        Of the file as it is kept.
    licence, citation : str
    sources : tuple of str
        Where it is downloaded from, ``owner/repository/commit/path`` below the base address of raw files; the next is
        tried where the server has no such file. None: it cannot be downloaded.
    convert : str
        What is done with the bytes that come; nothing by default.
    """

    path: str
    size: int
    sha256: str
    licence: str
    citation: str
    sources: tuple[str, ...] = ()
    convert: str = ""


@dataclass(frozen=True)
class DataSet:
    """Files that belong together, in a folder of their own.

    Parameters
    ----------
    name : str
        Also the name of the folder.
    what, use : str
        What it holds, and what examples and experiments ask of it.
    origin : str
        Who made it public.
    files : tuple of DataFile
    by_hand : str
        Why it cannot be downloaded; empty where it can.
    """

    name: str
    what: str
    use: str
    origin: str
    files: tuple[DataFile, ...]
    by_hand: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def licence(self) -> str:
        """Those of its files."""
        return ", ".join(dict.fromkeys(file.licence for file in self.files))


_NAB = "numenta/NAB/ea702d75cc2258d9d7dd35ca8e5e2539d71f3140"
_STATSMODELS = "statsmodels/statsmodels/v0.14.4/statsmodels/datasets"
_TERSE = "openmainframeproject/tersedecompress-testdata/9a0470b55f7bf28a647ee69a6af4a2e15eda1bc1/CanterburyCorpus"
_TRANSCRIBED = "it was put together for this project from the code and papers of its origin, which has no such file"


def _nab(path: str, size: int, sha256: str, convert: str = "") -> DataFile:
    return DataFile(path, size, sha256, "MIT", "Lavin & Ahmad 2015, ICMLA, doi:10.1109/ICMLA.2015.141",
                    (f"{_NAB}/{path}",), convert)


_NAB_FILES = (
    _nab("config/profiles.json", 404,
         "fc018b9a29ae900ab22de167baf06c36f2be528a5a3a1406d6775e238aeb9565"),
    _nab("config/thresholds.json", 5_985,
         "b0bd47854e33fede1a774b2c30d8e41c27e3f6cf1fc1f35a95b92beead315e69"),
    _nab("data/artificialNoAnomaly/art_daily_no_noise.csv", 116_776,
         "ccb7743ac2de8ca110db4af796d11ba31a23ad448a28e353a935c15f637756bc"),
    _nab("data/artificialNoAnomaly/art_daily_perfect_square_wave.csv", 100_816,
         "662ff0a295b81eb0ff8e81116a54a497cd6f6b07c19c7a5ea72cce494913ce62"),
    _nab("data/artificialNoAnomaly/art_daily_small_noise.csv", 140_187,
         "c4b304229f69f108eaa024fb2406fcd4510c5c5d95cd0053e2da6989682e4e6d"),
    _nab("data/artificialNoAnomaly/art_flatline.csv", 100_816,
         "1cc10761ddd6d55fb5f0d9cfc73610416abbb120ee14bb65eff288509a463397"),
    _nab("data/artificialNoAnomaly/art_noisy.csv", 140_916,
         "ad455adeaf06852222500955f2aefe6bd389cc762ef68e7102ee543209c8607f"),
    _nab("data/artificialWithAnomaly/art_daily_flatmiddle.csv", 140_292,
         "ea5df125947e9ee2b977ac3d341f3c2a029588862af97cae4a654fc56e838702"),
    _nab("data/artificialWithAnomaly/art_daily_jumpsdown.csv", 140_814,
         "4af31802e87dff4b4ba3ceb21714ba9d905f7888e1f53d47cc6dd4f856f9debc"),
    _nab("data/artificialWithAnomaly/art_daily_jumpsup.csv", 140_548,
         "f79f92b93ee4f9c10e2dc552505e8880b0c618639ed5e0f9816e044b75c26456"),
    _nab("data/artificialWithAnomaly/art_daily_nojump.csv", 140_478,
         "65c85d1834376ed5e622f01721d478609577ea0df0a067c5a5ebe5edea03b077"),
    _nab("data/artificialWithAnomaly/art_increase_spike_density.csv", 96_869,
         "0959d8871d5c1a3fc3120fb7421e4ef113fffb434af2889085b52aebdb69360c"),
    _nab("data/artificialWithAnomaly/art_load_balancer_spikes.csv", 101_603,
         "99f7130e54c7c3e818df8e3bdc0974cd241914bb14a10a9c3fa7c1374125d224"),
    _nab("data/realKnownCause/ambient_temperature_system_failure.csv", 233_321,
         "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581"),
    _nab("data/realKnownCause/cpu_utilization_asg_misconfiguration.csv", 539_274,
         "58ba65dc0737cfbac11b51514476d50c438d44011232144bb8d93f392df58f9f"),
    _nab("data/realKnownCause/ec2_request_latency_system_failure.csv", 123_428,
         "98378580aa80157e057c61d59d81daddccc6c65a2c0c800e3f01f603b8215c3f"),
    _nab("data/realKnownCause/machine_temperature_system_failure.csv", 732_223,
         "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4"),
    _nab("data/realKnownCause/nyc_taxi.csv", 265_771,
         "d8fa6f7f0734bf5c8be12c52a94e20a82664c397d9dec4449156bd453d32856d"),
    _nab("data/realKnownCause/rogue_agent_key_hold.csv", 55_527,
         "47b110baa8e3636574c1033dda1cce780873647fab58223d159d4fee6f180e86"),
    _nab("data/realKnownCause/rogue_agent_key_updown.csv", 138_333,
         "9797cfef477c13306f7a33874ab4d6cf700f8f2c7e5825a2a5bc02004370909a"),
    _nab("labels/combined_labels.json", 1_635,
         "e82d6360e2934ef429326dd2aa1709a22a46970fcd2184671992bbe276007a19", "nab_labels"),
    _nab("labels/combined_windows.json", 2_835,
         "9654b2327ad4ff5db4be90b3c5cb2f4ac182619a604e7fcc67804bc48af1455f", "nab_labels"),
)

SETS = (
    DataSet(
        "conditioning",
        "14 experiments of classical conditioning with the means of their groups",
        "order of the groups of a model beside that of animals",
        "nikhilxb/ccnlab",
        (
            DataFile("competition_discrimination.json", 39_866,
                     "4bd3aea67305f6497ca728077a0ec32239c52e1523efe29223430354b0fd399f",
                     "MIT", "ccnlab: github.com/nikhilxb/ccnlab, and the papers named in the file"),
        ),
        by_hand=_TRANSCRIBED,
    ),
    DataSet(
        "conformance",
        "numbers of a Leabra unit, and 8 complete scenarios of an HTM temporal memory",
        "kinds give the same numbers as the first programs of their theories",
        "emer/leabra, htm-community/htm.core",
        (
            DataFile("htm_temporal_memory.json", 15_574,
                     "498437f41f2a34fbf191e2ae1ed58cd37c9076a03d40981059e4ea08c5139cf8",
                     "AGPL-3.0 (numbers only)",
                     "Hawkins & Ahmad 2016, Front. Neural Circuits, doi:10.3389/fncir.2016.00023"),
            DataFile("leabra_unit_values.json", 2_688,
                     "7b667d1e9337458873353502c52cc04772dd160aa6b88aeaefcf9b9cb9236c63",
                     "BSD-3-Clause", "Leabra: github.com/emer/leabra"),
        ),
        by_hand=_TRANSCRIBED,
    ),
    DataSet(
        "dysts",
        "131 chaotic systems, 15 points a period, 12 periods: the part to train on",
        "forecasts of chaotic series",
        "williamgilpin/dysts",
        (
            DataFile("train_univariate_15pts_12periods.npz", 211_666,
                     "22faa70dec0e6b12fba2dce0f84355375ecf0a12bfd51109c1efe7e710db4fd7",
                     "Apache-2.0", "Gilpin 2021, NeurIPS Datasets and Benchmarks, arXiv:2110.05266"),
        ),
        by_hand="its origin keeps these series as compressed JSON; the npz file was made of them for this project",
    ),
    DataSet(
        "hcp_mmp1",
        "names of the 180 areas of a human hemisphere, in 22 regions",
        "labels for graphs of that many regions",
        "mne-tools/mne-python",
        (
            DataFile("hcp_mmp1_areas.json", 3_820,
                     "0a63ba85a69048fb7dafa4c4deaca3a3c3449f81dcfd144aecc01efec49c2bb4",
                     "BSD-3-Clause", "Glasser et al. 2016, Nature, doi:10.1038/nature18933"),
        ),
        by_hand=_TRANSCRIBED,
    ),
    DataSet(
        "macaque29",
        "29 areas of the macaque cortex: weights and layers of 536 connections, and the hierarchy",
        "graphs wired as a cortex is",
        "xjwanglab/book",
        (
            DataFile("fln_29x29.csv", 8_329,
                     "ec47088b716e9b1724cacf5e95d25c22ec4367f39d97188cb8b529101d007553",
                     "MIT", "Markov et al. 2014, Cereb. Cortex, doi:10.1093/cercor/bhs270"),
            DataFile("hierarchy.csv", 1_175,
                     "b164e71157b310af57977a46ed7bded0b0316f513d021578ff9a35b30ec47ec4",
                     "MIT", "Markov et al. 2014, Cereb. Cortex, doi:10.1093/cercor/bhs270"),
            DataFile("sln_29x29.csv", 5_884,
                     "18e585d7c636d7bac7fcb8c1083220b1728533a7996d3c012ea354c8eb630393",
                     "MIT", "Markov et al. 2014, Cereb. Cortex, doi:10.1093/cercor/bhs270"),
        ),
        by_hand="its origin is a Python pickle, which may run anything when it is opened, so it is never opened here",
    ),
    DataSet(
        "nab",
        "18 series of the Numenta Anomaly Benchmark, with the windows of their anomalies",
        "anomalies found online; taxi rides forecast",
        "numenta/NAB",
        _NAB_FILES,
    ),
    DataSet(
        "sequences",
        "8 sequences that share their middles, swapped half-way, and the Reber grammar",
        "memory of what came several steps ago",
        "papers; emer/axon",
        (
            DataFile("high_order_sequences.json", 1_903,
                     "360ca110f2ea20b5538f79eaf5c4245d9b8824b8174d2ef92c606b7283220ec6",
                     "facts", "Cui, Ahmad & Hawkins 2016, Neural Computation, doi:10.1162/NECO_a_00893"),
            DataFile("reber_fsa.json", 1_149,
                     "0416e3d56eed77366c0edc70718e7ae1354f3785bb487478511ad4b5b9fd8c5b",
                     "BSD-3-Clause", "Reber 1967, J. Verbal Learning, doi:10.1016/S0022-5371(67)80149-X"),
        ),
        by_hand=_TRANSCRIBED,
    ),
    DataSet(
        "series",
        "yearly sunspots 1700-2008, and weekly CO2 on Mauna Loa 1958-2001",
        "one-step forecasts",
        "statsmodels/statsmodels",
        (
            DataFile("co2.csv", 38_538,
                     "0e5e9a1d2c8f12081e5a26a8ff44e2f67ffeb6b387ecdb2802e2505ec04e69c7",
                     "public domain", "Keeling & Whorf 2004, Carbon Dioxide Information Analysis Center",
                     (f"{_STATSMODELS}/co2/co2.csv",), "co2"),
            DataFile("sunspots.csv", 4_849,
                     "94c1c1e3ce3e32f9fb34dce382a3959c69c1acd1804849460c52a0ca683d393d",
                     "public domain", "National Geophysical Data Center, NOAA",
                     (f"{_STATSMODELS}/sunspots/sunspots.csv",), "sunspots"),
        ),
    ),
    DataSet(
        "text",
        "plays of Shakespeare (1.1 MB), and Alice in Wonderland as compressors are measured on",
        "the next character forecast",
        "karpathy/char-rnn, Canterbury corpus",
        (
            DataFile("alice29.txt", 148_481,
                     "4cbce86540bcef439f901c89de486d295aa3848e8c4cbc911561054479e73960",
                     "public domain", "Arnold & Bell 1997, Data Compression Conference, doi:10.1109/DCC.1997.582019",
                     (f"{_TERSE}/Canterbury/alice29.txt", f"{_TERSE}/alice29.txt"), "lf"),
            DataFile("tinyshakespeare.txt", 1_115_394,
                     "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                     "public domain", "Karpathy 2015: github.com/karpathy/char-rnn",
                     ("karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",)),
        ),
    ),
)

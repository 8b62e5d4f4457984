"""Values that break parsers, and whole small files that have broken one: the seeds that are written by hand."""

from __future__ import annotations

NUMBERS = ("0", "-1", "1", "2", "3", "1e999", "-1e999", "nan", "inf", "0.1", "1e-320", "255", "256", "32767", "65536",
           "2147483647", "2147483648", "-2147483649", "268435456", "268435457", "1048576", "1048577",
           "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
           "1" + "0" * 30, "9" * 400, "9" * 5000, "0x" + "f" * 5000, "1_000", "01", "+1", "1.", ".5", "1e5", "0b1",
           "0o7", "1j")
WORDS = ("", " ", "\\u0000", "\x00", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "\\ud800",
         "\\U00110000", "\ufeff", "\u202e", "\u0661\u0662", "\u00b2", "a" * 300, "../x", "/etc/passwd", "~nobody/x",
         "C:\\\\x", "%s%n", "{}", "V1", "V1.state", "V1.state@1", "V1.state[0:4]@2", "V1@1..9", "V1@1..999999999",
         "V1[0:999999999999]", "V1[" + "9" * 30 + "]", "V1@" + "9" * 5000, "auto:0", "auto:1", "auto:\u00b2", "delta",
         "rls", "subspace", "reservoir", "temporal_memory", "predictive_coding", "os:path", "os.path:join",
         "antigravity:", "this:", ":x", "..x", "a.b", "json:", "json:{", "json:[[", "json:1e999", "json:null",
         "window(3)", "window(999999999)", "window(1, stride=1e-9)", "window((3, 3), wrap=true)", "window({[]: 1})",
         "sparse(0.5)", "sparse(1e-300)", "sparse(1, seed=" + "9" * 400 + ")", "one_to_one", "dense()", "(" * 300,
         "[" * 300, "[" * 5000, "-" * 3000 + "1", "[{[]: 1}]", "(1, 2, 3)", "[4, 4]", "[999999999, 999999999]",
         "(((((((1)))))))", "1979-05-27", "true", "false", "null", "None", "NaN", "Infinity", "context", "target",
         "prior", "feedback", "gate", "modulator", "before", "init", "idbd", "hypergradient")
KEYS = ("predicts", "context", "gate", "prior", "feedback", "size", "shape", "period", "offset", "kind", "tags",
        "from", "to", "role", "delay", "field", "name", "span", "outside", "hyper", "mode", "select", "auto",
        "removed", "extra", "lesioned", "why", "source", "known", "imagined_by", "sparse", "version", "tick_ms",
        "stream", "trial", "defaults", "sources", "regions", "edges", "length", "score_at", "spans", "pending", "type",
        "id", "key", "nodes", "graph", "directed", "multigraph", "learning_rate", "step_size", "port", "__class__",
        "cite", "frozen")
LINES = ("[", "]", "{", "}", "[[edges]]", "[trial]", "[trial.spans]", "[extra]", "[stream]", "[defaults.kind.delta]",
         "[regions.V1]", "[sources.V1]", "[regions.\"a b\"]", "[defaults]", "x = 1", "\"\" = 1", "[[regions]]",
         "trial = 1", "extra = {pending = 1}", "pending = 1", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<![CDATA[", "&a;",
         "&#0;", "&#xD800;", "<?xml version='1.1'?>", "<graph edgedefault='undirected'>", "\"", "'", "'''", "\"\"\"",
         "#", "\\", "\r", "\t", ";", ",,,,", "1,2,3")
ENTITIES = "".join(f"<!ENTITY l{k} '{f'&l{k - 1};' * 10}'>" for k in range(1, 10))

GRAPHS = (
    'tick_ms = "x"\n[sources.a]\nsize = 1\n',
    "[trial]\nlength = 4\nspans = 3\n",
    "[trial]\nlength = 4\ntick_ms = [1]\n",
    '[sources.a]\nsize = 2\n[regions.b]\npredicts = "a"\ncontext = ["a@1..900", "b.prediction@1"]\n',
    '[sources.a]\nsize = 268435456\n[regions.b]\npredicts = "a"\ncontext = ["a[0:268435456]@1"]\n',
    '[sources.a]\nshape = [8192, 8192]\n[regions.b]\npredicts = "a"\ncontext = [{from = "a@1", field = "window(9)"}]\n',
    "extra = {incoming_graph_data = {A = {B = {}}}, pending = 3}\n",
    '[sources.a]\nsize = 1\nimagined_by = "a"\n',
    '[sources.a]\nsize = 1\n[regions.b]\npredicts = "a"\ncontext = {from = "a@1", extra = 5}\n',
    '[sources.a]\nsize = 1\n[regions.b]\npredicts = "a"\n[[edges]]\nname = [1]\nlesioned = true\n',
    '[sources.a]\nsize = 1\n[regions.b]\nkind = "temporal_memory"\npredicts = "a"\ncontext = "a@1"\ncolumns = nan\n',
    '[sources.a]\nsize = 1\n[regions.b]\npredicts = "a"\n[[edges]]\nfrom = "b.prediction@1"\nto = "b"\nauto = true\n'
    'select = "auto:x"\nname = "x"\n',
    "x = " + "[" * 3000 + "\n", "x = 0x" + "f" * 5000 + "\n", "x = " + "9" * 5000 + "\n",
)
JSONS = ("[" * 100000, '{"a":' * 50000, "9" * 5000, '{"nodes": [{"id": {}}], "edges": []}', "\ufeff{}", "null",
         '{"nodes": [{"id": ["a", ["b"]], "type": "source", "shape": 1}], "edges": [], "graph": []}',
         '{"nodes": [{"id": "a", "type": "source", "shape": [1, NaN]}], "edges": [], "graph": {"pending": 3}}',
         '{"nodes": [{"id": "\\ud800", "type": "source", "shape": 1}], "edges": []}')
XMLS = ("<graphml/>", "<graphml><graph edgedefault='directed'/></graphml>", "<a>" * 20000,
        f"<!DOCTYPE graphml [<!ENTITY l0 'ha'>{ENTITIES}]><graphml>&l9;</graphml>",
        "<!DOCTYPE graphml SYSTEM 'file:///etc/passwd'><graphml/>",
        "<graphml xmlns='http://graphml.graphdrawing.org/xmlns'><graph edgedefault='directed'><node/><edge/>"
        "</graph></graphml>")
TABLES = ("", "\n", "#\n", "a\n", "a,b\n1\n", "a;b\n1;2\n", "\"a\n1\n", "a,b\n1,\"2\n", "a\x00b\n1\n",
          "1,2,3\n4,5,6\n", "x" * 200000, ",".join("1" * 30000) + "\n", "a\r1\r2\r", "a\n1e999\n", "a\n\u0661\n",
          "a\n1_0\n", "\ufeffa\n1\n")

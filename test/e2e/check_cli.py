#!/usr/bin/env python3
"""The command without a model: help, options, chip files, programs, and what it refuses."""
import json
import os
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from silex import ROOT, SILEX, Case, run  # noqa: E402

VERBS = ("run tokenize template compile disasm asm verify exec bench perplexity chip time fleet "
         "serve keys usage validate").split()
LATER = "chat doctor rtl cluster search".split()
NEEDS_MODEL = ["run", "tokenize", "bench", "perplexity", "compile", "time", "serve"]


class Help(Case):
    def test_every_verb_has_help(self):
        top = self.ok("--help")
        for verb in VERBS:
            self.assertIn(f"\n  {verb} ", top)
            text = self.ok(verb, "--help")
            self.assertTrue(text.startswith(f"silex {verb} "))
            self.assertEqual(text, self.ok("help", verb))
            self.assertEqual(text, self.ok(verb, "-h", "--no-such-option"))

    def test_no_verb_is_wrong_input_and_prints_the_verbs(self):
        code, out, err = run()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("perplexity MODEL", err)

    def test_reference_page_is_what_the_tables_say(self):
        with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as f:
            self.assertEqual(self.ok("help", "--markdown"), f.read(), "run make gen")

    def test_readme_names_every_verb(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            readme = f.read()
        for verb in VERBS:
            self.assertRegex(readme, rf"`{verb}[ `]")

    def test_version(self):
        self.assertRegex(self.ok("--version"), r"^silex \d+\.\d+\.\d+\n$")

    def test_closed_pipe_is_quiet(self):
        p = subprocess.Popen([SILEX, "chip", "--keys"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        p.stdout.close()
        self.assertEqual(p.stderr.read(), b"")
        p.stderr.close()
        p.wait()

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            for args in (["chip", "silex-one"], ["--help"], ["disasm", "-"]):
                p = subprocess.run([SILEX, *args], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False,
                                   stdin=subprocess.DEVNULL)
                self.assertEqual(p.returncode, 2)
                self.assertEqual(len(p.stderr.splitlines()), 1)


class Options(Case):
    def test_unknown_verbs(self):
        self.refused("rum", place="silex: ", says=["rum", "did you mean run"])
        self.refused("--jsn", place="silex: ")
        for verb in LATER:
            self.refused(verb, place="silex: ", says=[verb, "not built yet"])

    def test_unknown_options(self):
        self.refused("run", "m.gguf", "--max-token", 3, place="silex run: ", says="did you mean --max-tokens")
        self.refused("chip", "--jason", place="silex chip: ", says="did you mean --json")
        self.refused("chip", "-z", place="silex chip: ", says="-z")
        self.refused("chip", "--", "--json", place="--json: ")

    def test_bad_values(self):
        for value in ("x", "", "1.5", "-1", "0", " 3", "1e3", "99999999999999999999"):
            self.refused("run", "m.gguf", "-n", value, place="silex run: -n: ",
                         says=[f'"{value}"', "whole number from 1 to"])
            self.refused("run", "m.gguf", f"--max-tokens={value}", place="silex run: --max-tokens: ", says=f'"{value}"')
        for value in ("hot", "nan", "inf", "-0.5", "101", "0x1"):
            self.refused("run", "m.gguf", "--temperature", value, place="silex run: --temperature: ",
                         says="number from 0 to 100")
        self.refused("run", "m.gguf", "--machine", "slow", place="silex run: --machine: ", says="fast or strict")
        self.refused("run", "m.gguf", "--cpu", "avx", place="silex run: --cpu: ", says="scalar, avx2 or avx512")
        self.refused("run", "m.gguf", "--raw=yes", place="silex run: --raw: ", says="expected none")
        self.refused("run", "m.gguf", "-p", place="silex run: -p: ", says="TEXT")
        self.refused("bench", "m.gguf", "-t", "1,,2", place="silex bench: --threads: ")
        self.refused("compile", "m.gguf", "--dump", "grph", place="silex compile: --dump: ", says="did you mean graph")

    def test_arguments(self):
        for verb in VERBS:
            if verb not in ("usage", "validate"):  # need no argument
                self.refused(verb, place=f"silex {verb}: ", says="expected")
        self.refused("run", "a.gguf", "b.gguf", "-p", "hi", place="silex run: ", says="b.gguf")
        self.refused("run", "", "-p", "hi", place="silex run: ", says="empty")
        self.refused("help", "run", "chip", place="silex help: ")

    def test_validate(self):
        self.refused("validate", "gemm-h1000", place="silex validate: ", says="did you mean gemm-h100")
        self.refused("validate", "--queries", "no-such-file", place="no-such-file: ", says="cannot read")
        self.refused("validate", "gemm-h100", "--queries", "-", place="silex validate: ", says="one of them")
        line = '{"id":"a","kind":"allreduce","chip":"h100","n_chips":%d,"bytes":65536}\n'
        code, out, err = run("validate", "--queries", "-", stdin=line % 4 + line % -1 + line % 8)
        self.assertEqual(code, 2)
        answers = [json.loads(x) for x in out.splitlines()]
        self.assertEqual([a["value"] is None for a in answers], [False, True, False])
        self.assertEqual(answers[1]["why"], "line 2: field n_chips: found -1, expected an integer >= 1")
        self.assertGreater(answers[2]["value"], answers[0]["value"])
        self.assertIn("malformed", err)
        sets = json.loads(self.ok("validate", "nccl-h100", "gelu-a100", "--json", "--worst", "2"))["sets"]
        self.assertEqual([s["set"] for s in sets], ["nccl-h100", "gelu-a100"])
        self.assertTrue(all(s["answered"] == s["rows"] > 0 and len(s["worst"]) == 2 for s in sets))

    def test_texts(self):
        for verb in ("run", "tokenize", "perplexity"):
            self.refused(verb, "m.gguf", place="-p, -f: ", says="no text")
            self.refused(verb, "m.gguf", "-p", "a", "-f", "b", place="-p, -f: ", says="both")
            self.refused(verb, "m.gguf", "-p", "", place="-p: ", says="empty")
            self.refused(verb, "m.gguf", "-f", "-", place="standard input: ", says="empty")
            self.refused(verb, "m.gguf", "-f", self.dir, place=self.dir, says="folder")
            bad = self.file("bad.txt", b"one\ntw\xc3(o")
            self.refused(verb, "m.gguf", "-f", bad, place=bad + ":2: ", says=["0xc3", "offset 6", "UTF-8"])


class Models(Case):
    """Files that are no model."""

    def every(self, path, place=None, says=()):
        for verb in NEEDS_MODEL:
            more = {"run": ["-p", "hi"], "tokenize": ["-p", "hi"], "perplexity": ["-p", "hi"],
                    "compile": ["-o", os.path.join(self.dir, "out.slx")]}.get(verb, [])
            self.refused(verb, path, *more, place=place or path, says=says)

    def test_wrong_files(self):
        self.every(os.path.join(self.dir, "none.gguf"), says="No such file")
        self.every(self.file("empty.gguf", b""), says="GGUF")
        self.every(self.dir, says="folder")
        self.every("/dev/null", says="not a regular file")
        self.every(os.path.join(ROOT, "chips", "silex-1.yaml"), says="GGUF")
        self.every(self.file("short.gguf", b"GGUF\x03\0\0\0" + struct.pack("<QQ", 1, 1)))
        self.every(self.file("huge.gguf", b"GGUF\x03\0\0\0" + struct.pack("<QQ", 1 << 60, 1 << 60) + bytes(64)))

    def test_shapes_only(self):
        text = self.ok("compile", "llama-3-8b", "--dump", "plan")
        self.assertIn("q4s", text)
        self.assertIn("q8s", self.ok("compile", "llama-3-8b", "--weights", "Q8_0", "--dump", "plan"))
        place = os.path.join("data", "models", "llama-3-8b.json")
        for verb in ("run", "tokenize", "perplexity", "bench"):
            more = [] if verb == "bench" else ["-p", "hi"]
            code, out, err = run(verb, "llama-3-8b", *more)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(place + ": this model has shapes only", err)
        config = self.file("config.json", '{"model_type": "gemma2"}')
        self.refused("compile", config, "--dump", "plan", place=config, says="expected llama, mistral, qwen2")
        self.refused("compile", self.dir, "--dump", "plan", place=config, says="expected llama, mistral, qwen2")
        os.unlink(config)
        self.refused("compile", "llama-3-8b", "--weights", "Q4_K", "--dump", "plan", place=ROOT, says=["Q4_K", "Q4_0"])
        self.refused("compile", "lama-3-8b", "--dump", "plan", place="lama-3-8b: ", says="did you mean llama-3-8b")

    def test_templates(self):
        messages = self.file("m.json", json.dumps([{"role": "user", "content": "hi"}]))
        t = self.file("t.jinja", "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
                                 "{% if tools is none and add_generation_prompt %}!{% endif %}")
        self.assertEqual(self.ok("template", t, "-f", messages), "<user>hi!")
        with open(messages, "rb") as f:
            self.assertEqual(self.ok("template", t, "-f", "-", stdin=f.read()), "<user>hi!")
        whole = self.file("o.json", json.dumps({"messages": [], "tools": [1], "add_generation_prompt": True}))
        self.assertEqual(json.loads(self.ok("template", t, "-f", whole, "--json"))["prompt"], "")
        self.refused("template", t, place="-f: ")
        self.refused("template", t, "-f", self.file("x.json", "[{]"), place=os.path.join(self.dir, "x.json") + ":1")
        none = self.file("n.json", "{}")
        self.refused("template", t, "-f", none, place=none, says="messages")
        bad = self.file("bad.jinja", "line\n{% for x %}")
        self.refused("template", bad, "-f", messages, place=bad + ":2")
        stop = self.file("stop.jinja", "{{ raise_exception('roles must alternate') }}")
        self.refused("template", stop, "-f", messages, place=stop, says="roles must alternate")


class Time(Case):
    def test_power_limit_and_table(self):
        args = ["time", "smollm2-135m", "-p", 0, "-c", 200, "--no-bands", "--json"]
        free = json.loads(self.ok(*args))["decode"]
        self.assertFalse(free["power_limited"])
        watts = free["power_w"] * 0.9
        held = json.loads(self.ok(*args, "--set", f"package.tdp_w={watts:.6g}"))["decode"]
        self.assertTrue(held["power_limited"])
        self.assertLessEqual(held["power_w"], watts)
        self.assertLess(held["clock_ghz"], free["clock_ghz"])
        self.assertLess(held["vdd_v"], free["vdd_v"])
        self.assertGreater(held["seconds"], free["seconds"])
        # below the slowest point the clock stands; what leakage and links alone draw is no limit to keep
        slow = json.loads(self.ok(*args, "--set", "package.tdp_w=160"))["decode"]
        self.assertTrue(slow["power_limited"])
        self.assertLessEqual(slow["power_w"], 160)
        self.assertGreater(slow["paused"], 0.2)
        self.assertAlmostEqual(slow["seconds"] * (1 - slow["paused"]), slow["cycles"] / slow["clock_ghz"] * 1e-9)
        self.assertIn("the clock stands", self.ok(*args[:-1], "--set", "package.tdp_w=160"))
        self.refused(*args, "--set", "package.tdp_w=100", place="--set package.tdp_w=100: ", says="without any work")
        table = self.ok(*args, "-b", 4, "--memo", 5)
        self.assertEqual(table, self.ok(*args, "-b", 4, "--memo", 5))
        # random lengths of four kinds, none of which the table was built from; the aim is 3 % at worst, which short
        # steps of the default model miss (docs/timing.md)
        for worst, mixed, step in [(0.05, 0.03, ("smollm2-135m", "-c", 2000, "-b", 12, "--memo", 100)),
                                   (0.03, 0.03, ("llama-3-70b", "--tp", 8, "-c", 4000, "-b", 64, "--memo", 20))]:
            memo = json.loads(self.ok("time", *step, "-p", 0, "--no-bands", "--json"))["memo"]
            self.assertEqual((memo["steps"], memo["mixed_steps"]), (step[-1], step[-1] // 4))
            self.assertLess(memo["time_error_mean"], 0.01)
            self.assertLess(memo["time_error_worst"], worst)
            self.assertLess(memo["energy_error_worst"], worst)
            self.assertLess(memo["mixed_time_error_worst"], mixed)
        host = json.loads(self.ok(*args, "--speed"))["host"]
        self.assertGreater(host["cpu_s"], host["folded_cpu_s"])

    def test_what_it_says(self):
        """Weights, what limits the time, what was folded; and every split of the energy sums to its total."""
        args = ["time", "llama-3.2-1b", "-p", 0, "-c", 200, "--no-bands"]
        for more, kept in ([], "Q4_0 kept as q4s"), (["--weights", "BF16"], "BF16 kept as mxint8"):
            text = self.ok(*args, *more)
            lines = {line[:14].strip(): line for line in text.splitlines()[1:]}
            self.assertIn(kept, lines["weights"])
            self.assertNotIn("limited", lines["energy"])
            self.assertRegex(lines["limited by"], r"[a-z].* \d+ %, ")
            self.assertRegex(text, r"simulated \d+ of 128 tiles, \d of 16 layers; .* off by [\d.]+ %.* [\d.]+ % at w")
            j = json.loads(self.ok(*args, *more, "--json"))
            self.assertEqual(f"{j['weights'][0]['type']} kept as {j['weights'][0]['format']}", kept)
            d = j["decode"]
            self.assertTrue(d["folded"] and 0 < d["fold_error_mean"] < d["fold_error_worst"] < 1)
            self.assertEqual(sum(s["energy_fj"] for s in d["spans"]), d["energy_fj"])
            self.assertEqual(sum(s["static_fj"] for s in d["spans"]), d["static_fj"])
            self.assertEqual(sum(d["layer_energy_fj"]), d["energy_fj"])
            self.assertEqual(sum(d["energy_fj_by_engine"].values()), d["energy_fj"])
            self.assertEqual(sum(d["energy_fj_by_wire"].values()), d["energy_fj"])
        full = json.loads(self.ok(*args, "--full", "--json"))["decode"]
        self.assertEqual((full["folded"], full["fold_error_worst"]), (False, 0))
        self.assertIn("simulated 128 of 128 tiles, 16 of 16 layers\n", self.ok(*args, "--full"))
        rom = json.loads(self.ok(*args, "--chip", "silex-etched", "--json"))["decode"]["energy_fj_by_wire"]
        hbm = json.loads(self.ok(*args, "--json"))["decode"]["energy_fj_by_wire"]
        self.assertGreater(rom["weights beside TEN"], 0)
        self.assertEqual(hbm["weights beside TEN"], 0)

    def check_trace(self, path, cycles):
        """Trace event format: complete events on named threads, in none of which two overlap."""
        with open(path, encoding="utf-8") as f:
            events = json.load(f)["traceEvents"]
        named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
        self.assertEqual(4, sum(e["name"] == "process_name" for e in events))
        last, busy = {}, [e for e in events if e["ph"] == "X"]
        self.assertEqual(len(events), len(busy) + 4 + 2 * len(named))
        for e in sorted(busy, key=lambda e: e["args"]["start"]):
            track = e["pid"], e["tid"]
            self.assertIn(named[track].split()[0], ("LDQ", "STQ", "TEN", "VEC"))
            self.assertGreaterEqual(e["args"]["start"], last.get(track, 0))
            last[track] = e["args"]["finish"]
            self.assertAlmostEqual(e["dur"] * 1000, e["args"]["finish"] - e["args"]["start"], delta=0.1)
        self.assertEqual(max(last.values()), cycles)
        self.assertIn("MM gate_up 29", {e["name"] for e in busy})

    def test_a_model_known_by_its_shapes(self):
        trace = os.path.join(self.dir, "t.json")
        args = ["time", "smollm2-135m", "--chip", "silex-mini", "-p", 20, "-c", 40]
        text = self.ok(*args, "--json", "--trace", trace)
        self.assertEqual(text, self.ok(*args, "--json"))
        t = json.loads(text)
        for step in (t["prefill"], t["decode"]):
            self.assertEqual(sum(step["cycles_by_bound"].values()), step["cycles"])
            self.assertEqual(sum(step["energy_fj_by_wire"].values()), step["energy_fj"])
            self.assertEqual(sum(step["hbm_read_bytes_by_region"].values()), step["hbm_read_bytes"])
            self.assertGreaterEqual(step["cycles"], step["roofline_cycles"])
        full = json.loads(self.ok(*args, "--json", "--full", "--no-bands"))
        self.assertLess(abs(t["decode"]["cycles"] / full["decode"]["cycles"] - 1), 0.03)
        self.check_trace(trace, full["decode"]["cycles"])
        report = self.ok(*args)
        for line in ("first token", "each token", "energy ", "decode: "):
            self.assertIn(f"\n {line}", report)

    def test_several_chips(self):
        args = ["time", "llama-3.2-1b", "-p", 0, "-c", 40, "--no-bands"]
        one, t = (json.loads(self.ok(*args, "--tp", p, "--json")) for p in (1, 8))
        self.assertEqual((one["chips"], t["chips"], one["decode"]["net_bytes"]), (1, 8, 0))
        d = t["decode"]
        self.assertEqual(sum(d["cycles_by_bound"].values()), d["cycles"])
        self.assertEqual(sum(d["energy_fj_by_wire"].values()), d["energy_fj"])
        self.assertAlmostEqual(t["energy_j_per_token"], 8e-15 * d["energy_fj"], delta=1e-9)
        # 16 layers, o and down in fp32, two results of 2048 columns a layer; the head of 128256, gathered
        self.assertEqual(d["net_bytes"], 16 * 2 * 2048 * 4 + 128256 // 8 * 4)
        # one shot: every chip sends what it has to seven others
        self.assertEqual(d["net_wire_bytes"], 7 * d["net_bytes"])
        # 33 meetings of at least a message of 1500 ns, at 1.5 GHz
        self.assertGreaterEqual(d["cycles_by_bound"]["collectives"], 33 * 2250)
        # heads, columns and rows of the vocabulary are divided; the embedding is whole
        self.assertLess(d["macs"], one["decode"]["macs"] / 7.9)
        self.assertIn(" on 8 x silex-1, 128 tiles each", self.ok(*args, "--tp", 8))

    def test_legal_degrees(self):
        compile_ = ["compile", "smollm2-135m", "--dump", "plan"]
        self.refused(*compile_, "--tp", 2, place=os.path.join(ROOT, "data"),
                     says=["3 KV heads over 2 chips", "of this model is 1"])
        self.refused(*compile_, "--tp", 3, place="", says="expected 1, 2, 4 or 8")
        self.refused("compile", "llama-3.2-1b", "--dump", "plan", "--tp", 2, "--chip", "silex-mini",
                     place=os.path.join(ROOT, "chips"), says="no links to others (net.ports is 0)")
        text = self.ok("compile", "llama-3.2-1b", "--dump", "plan", "--tp", 4)
        self.assertIn("4 chips, each 8 of 32 heads, 2 of 8 KV heads; o: parts summed, down: parts summed", text)

    def test_refusals(self):
        self.refused("time", "smollm2-135m", "-c", 0, "-p", 0, place="silex time: ", says="0 for both")
        self.refused("time", "smollm2-135m", "--trace", "/no/such/file", place="/no/such/file: ")
        self.refused("time", "smollm2-135m", "--trace", "-", "--json", place="silex time: --trace: ")
        # pages that the memory has no room for: file, bytes, what would fit
        self.refused("time", "llama-3-8b", "--chip", "silex-etched", "-b", 4, "-c", 700,
                     place=os.path.join(ROOT, "chips", "silex-etched.yaml") + ": ",
                     says=["GiB of HBM", "too little", "--tp 2", "--chip silex-1"])
        self.refused("time", "smollm2-135m", "-c", 1 << 20, place="smollm2-135m: ", says="expected at most")


class Chips(Case):
    def test_table_and_json(self):
        table = self.ok("chip", "silex-1", "chips/silex-mini.yaml", "silex-one")
        self.assertRegex(table, r"(?m)^ +silex-1 +silex-mini +silex-one$")
        chips = json.loads(self.ok("chip", "silex-1", "silex-one", "--json"))["chips"]
        self.assertEqual([c["name"] for c in chips], ["silex-1", "silex-one"])
        # 1 x 16 x 32 multiply-adds a clock at 1 GHz; a port of 256 bits at 1 Gb/s a pin
        self.assertEqual(chips[1]["peaks"]["w8a8_ops"], 2 * 512 * 1e9)
        self.assertEqual(chips[1]["peaks"]["hbm_bytes_s"], 32e9)
        # 132 tiles of 16 x 32 x 32 multiply-adds at 70 um2, within a quarter
        macs = chips[0]["die_blocks"][0]
        self.assertEqual(macs["name"], "multiply-adds")
        self.assertAlmostEqual(macs["mid"], 132 * 16384 * 70e-6, places=2)
        self.assertAlmostEqual(macs["high"], 1.25 * 132 * 16384 * 70e-6, places=2)
        self.assertLess(chips[0]["area_mm2"]["low"], chips[0]["area_mm2"]["mid"])
        bill = sum(r["mid"] for r in chips[0]["bom_parts"])
        self.assertAlmostEqual(bill, chips[0]["bom_usd"]["mid"], delta=0.1)

    def test_published_chips(self):
        table = self.ok("chip", "silex-1", "h100", "b200", "maia-200", "tpu-v4i")
        self.assertIn("not published", table)
        maia = json.loads(self.ok("chip", "maia-200", "--json"))["chips"][0]
        self.assertIsNone(maia["clock_ghz"])
        self.assertEqual(maia["clock_ghz_why"], "not published")
        self.assertIsNone(maia["published"]["die_mm2"])

    def test_set(self):
        def of(*args):
            return json.loads(self.ok("chip", "silex-1", "--json", *args))["chips"][0]
        fast = of("--set", "hbm.gbps_pin=12")
        self.assertAlmostEqual(fast["peaks"]["hbm_bytes_s"], 1.5 * of()["peaks"]["hbm_bytes_s"])
        self.assertNotEqual(fast["hash"], of()["hash"])
        self.refused("chip", "silex-1", "--set", "hbm.gbps_pin=fast", place="--set hbm.gbps_pin=fast: ", says="number")
        self.refused("chip", "silex-1", "--set", "grid.enabled=133", place="--set grid.enabled=133: ", says="132 tiles")
        self.refused("chip", "silex-1", "--set", "hbm.gbps=9", place="--set hbm.gbps=9: ", says="did you mean")
        self.refused("chip", "silex-1", "--set", "hbm", place="--set hbm: ", says="KEY=VALUE")
        self.refused("chip", "silex-1", "--set", "part.units=9", place="--set part.units=9: ")
        # figures that contradict each other: by any verb, at the figure that was set
        for verb in (("chip", "silex-1"), ("time", "smollm2-135m"), ("compare", "llama-3.1-8b", "silex-1")):
            self.refused(*verb, "--set", "package.tdp_w=1", place="--set package.tdp_w=1: ", says=["leak", "silex-1"])
        self.refused("chip", "silex-1", "--set", "tile.spm_kib=262144", place="--set tile.spm_kib=262144: ",
                     says="wafer")
        self.refused("chip", "h100", "--set", "part.cache_mib=50000", place="--set part.cache_mib=50000: ")
        large = of("--set", "process.reticle_mm2=100")
        self.assertIsNone(large["usd"])
        self.assertIn("does not fit the reticle", large["usd_why"])
        self.assertIn("over the reticle", large["warnings"][0])
        self.assertEqual(of()["warnings"], [])

    def test_standard_input(self):
        with open(os.path.join(ROOT, "chips", "silex-one.yaml"), "rb") as f:
            self.assertIn("silex-one", self.ok("chip", "-", stdin=f.read()))

    def test_keys(self):
        self.assertIn("hbm.gbps_pin", self.ok("chip", "--keys"))

    def test_wrong_files(self):
        with open(os.path.join(ROOT, "chips", "silex-1.yaml"), encoding="utf-8") as f:
            text = f.read()
        bad = self.file("fast.yaml", text.replace("gbps_pin: ", "gbps_pin: fast #"))
        line = 1 + text[:text.index("gbps_pin")].count("\n")
        self.refused("chip", bad, place=f"{bad}:{line}: ", says=["gbps_pin", '"fast"', "number"])
        self.refused("chip", "silex-2", place="silex-2: ", says="did you mean silex-1")
        self.refused("chip", "silex-1", "silex-3", place="silex-3: ")
        self.refused("chip", self.file("e.yaml", ""), place=os.path.join(self.dir, "e.yaml"))
        self.refused("chip", self.file("g.yaml", b"GGUF\x03\0\0\0\xff\xfe"), place=os.path.join(self.dir, "g.yaml"))
        self.refused("chip", "/dev/null", place="/dev/null: ")
        self.refused("chip", self.dir, place=self.dir, says="folder")


HELLO = os.path.join("examples", "hello.s")
TWO = os.path.join("examples", "two-chips.s")


class Programs(Case):
    def test_hello_runs(self):
        # A has rows of 0.5 and 1, B rows of 1, 2, 4, 8, all 32 long
        want = [[32 * a * b for b in (1, 2, 4, 8)] for a in (0.5, 1)]
        out = self.ok("exec", HELLO, "--chip", "silex-one", "--show", "out:f32:2x4")
        rows = [[float(x) for x in line.split(":")[1].split()] for line in out.splitlines()[1:]]
        self.assertEqual(rows, want)
        r = json.loads(self.ok("exec", HELLO, "--chip", "silex-one", "-s", "out:f32", "-s", "out:u32", "--json"))
        self.assertEqual(r["regions"][0]["values"], want[0] + want[1])
        self.assertEqual(struct.pack("<8I", *r["regions"][1]["values"]), struct.pack("<8f", *want[0], *want[1]))

    def test_two_chips_meet(self):
        want = [3.0] * 4 + [1.0] * 4 + [2.0] * 4
        for rank in (0, 1):
            r = json.loads(self.ok("exec", TWO, "--rank", rank, "-s", "out:f32:3x4", "--json"))
            self.assertEqual(r["regions"][0]["values"], want)
        self.refused("exec", TWO, "--rank", 2, place=TWO, says=["--rank 2", "2 chips"])
        self.refused("verify", TWO, "--chip", "silex-one", place=TWO, says="silex-1")

    def test_its_own_chip_is_the_default(self):
        self.assertIn("legal on silex-one", self.ok("verify", HELLO))
        self.refused("verify", HELLO, "--chip", "silex-mini", place=HELLO, says=["silex-one", "silex-mini"])
        self.assertEqual(self.ok("exec", HELLO, "-s", "out"),
                         self.ok("exec", HELLO, "--chip", "silex-one", "-s", "out"))

    def test_faults(self):
        """A program that is legal and goes wrong: exit 3, one line with cause and place, nothing shown."""
        with open(os.path.join(ROOT, HELLO), encoding="ascii") as f:
            text = f.read()
        zeros = "    VUN.fill [Y], (1,32), <0,0,0>, 0.0\n"
        for line, cause in (("SYS.trap r1, 4", "TRAP"), ("VUN.rcp [A], [Y], (1,32), <0,0,0>", "division by zero")):
            bad = self.file("bad.s", text.replace("    SYS.halt", f"{zeros}    {line}\n    SYS.halt"))
            code, out, err = run("exec", bad, "-s", "out")
            self.assertEqual((code, out, len(err.splitlines())), (3, "", 1), err)
            self.assertTrue(err.startswith(bad + ": tile 0, pc 13, "), err)
            self.assertIn(cause, err)

    def test_trace_has_every_instruction(self):
        code, out, err = run("exec", HELLO, "--chip", "silex-one", "--trace")
        self.assertEqual((code, out), (0, ""))
        lines = err.splitlines()
        self.assertEqual(len(lines) - 1, int(lines[-1].split()[0]))
        self.assertIn("MM.mxint8.mxint8", err)

    def test_text_to_file_and_back(self):
        a, b = os.path.join(self.dir, "a.slx"), os.path.join(self.dir, "b.slx")
        self.ok("asm", HELLO, "-o", a)
        text = self.ok("disasm", a)
        self.ok("asm", "-", "-o", b, stdin=text)
        with open(a, "rb") as f, open(b, "rb") as g:
            self.assertEqual(f.read(), g.read())
        self.ok("disasm", a, "-o", os.path.join(self.dir, "a.s"))
        self.assertEqual(self.ok("disasm", b), text)
        self.assertEqual(self.ok("exec", a, "--chip", "silex-one", "-s", "out"),
                         self.ok("exec", HELLO, "--chip", "silex-one", "-s", "out"))

    def test_verify(self):
        out = self.ok("verify", HELLO, "--chip", "silex-one")
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn("silex-one", out)
        self.assertTrue(json.loads(self.ok("verify", HELLO, "--chip", "silex-one", "--json"))["legal"])
        with open(os.path.join(ROOT, HELLO), encoding="ascii") as f:
            text = f.read()
        bad = self.file("bad.s", text.replace("wait=t2", "wait=t3"))
        self.refused("verify", bad, "--chip", "silex-one", place=bad)
        self.refused("exec", bad, "--chip", "silex-one", place=bad)

    def test_wrong_files(self):
        out = os.path.join(self.dir, "out.slx")
        yaml = os.path.join("chips", "silex-1.yaml")
        for verb in ("disasm", "verify"):
            self.refused(verb, yaml, place=yaml, says="not a Silex program")
            self.refused(verb, self.file("empty", b""), place=os.path.join(self.dir, "empty"))
            self.refused(verb, self.dir, place=self.dir, says="folder")
            self.refused(verb, "/dev/null", place="/dev/null: ")
        self.refused("asm", yaml, "-o", out, place=yaml + ":")
        self.refused("asm", HELLO, place="silex asm: ", says="-o")
        self.refused("asm", HELLO, "-o", self.dir, place=self.dir, says="folder")
        self.refused("asm", HELLO, "-o", os.path.join(self.dir, "no", "such.slx"), place=self.dir)
        self.refused("exec", HELLO, "--chip", "silex-one", "--show", "in", place="silex exec: --show in: ", says="out")
        self.refused("exec", HELLO, "--chip", "silex-one", "--show", "out:f64", place="silex exec: --show out:f64: ")
        self.refused("exec", HELLO, "--chip", "silex-one", "--show", "out:f32:99999x9", place="silex exec: --show ")

    def test_changed_files(self):
        """Every cut and many flipped bits of a program file are seen."""
        a = os.path.join(self.dir, "a.slx")
        self.ok("asm", HELLO, "-o", a)
        with open(a, "rb") as f:
            good = f.read()
        step = max(1, len(good) // 12)
        for n in range(0, len(good), step):
            cut = self.file("cut.slx", good[:n])
            self.refused("verify", cut, "--chip", "silex-one", place=cut)
            flipped = bytearray(good)
            flipped[n] ^= 1 << n % 8
            bad = self.file("flip.slx", bytes(flipped))
            self.refused("verify", bad, "--chip", "silex-one", place=bad)


if __name__ == "__main__":
    unittest.main()

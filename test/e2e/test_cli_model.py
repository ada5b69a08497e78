#!/usr/bin/env python3
"""The command with the default model: answers, the same bits on every way there, reports, broken model files."""
import json
import math
import os
import pty
import random
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from silex import MODEL, ROOT, SILEX, Case, run  # noqa: E402

QUESTION = "What is the capital of Japan?"


@unittest.skipUnless(os.path.exists(MODEL), f"{MODEL} is not there: tools/fetch-model")
class ModelCase(Case):
    def json(self, *args, **more):
        out = self.ok(*args, "--json", **more)
        self.assertEqual(out.count("\n"), 1)
        return json.loads(out)


class Run(ModelCase):
    def test_answer_and_report(self):
        code, out, err = run("run", MODEL, "-p", QUESTION)
        self.assertEqual((code, out), (0, "The capital of Japan is Tokyo.\n"))
        for line in (r"^ answer     \d+ prompt \+ 7 new tokens, end of turn +bits  ([0-9a-f]{4} ){3}[0-9a-f]{4}$",
                     r"^ this host  prefill [\d.]+ tok/s . decode [\d.]+ tok/s . \d+ threads? . \d+ MB . started in",
                     r"^ program    [\d,]+ instructions \(\d+ KB\), 128 tiles, verified; \d+ M MAC and [\d.]+ MB a "
                     r"token$",
                     r"^ a token    [\d,]+ instructions on all tiles: CTL [\d,]+, LDQ",
                     r"^ the chip   silex-1: first token [\d.]+ [mu]s . then [\d.]+ [mu]s each . [\d.]+ mJ each "
                     r"\(low [\d.]+ mJ, high [\d.]+ mJ\) . limited by "):
            self.assertRegex(err, re.compile(line, re.M))

    def test_report_follows_on_a_terminal(self):
        try:
            outer, inner = pty.openpty()
        except OSError as e:
            self.skipTest(f"no terminal to be had here: {e}")
        p = subprocess.Popen([SILEX, "run", MODEL, "-p", QUESTION], cwd=ROOT, stdout=inner, stderr=subprocess.PIPE)
        os.close(inner)
        text = b""
        try:
            while part := os.read(outer, 4096):
                text += part
        except OSError:  # the other side is closed
            pass
        os.close(outer)
        self.assertEqual((p.communicate()[1], p.returncode), (b"", 0))
        self.assertRegex(text.decode().replace("\r", ""), r"^The capital of Japan is Tokyo\.\n\n answer  ")

    def test_json_has_every_key(self):
        r = self.json("run", MODEL, "-p", QUESTION)
        self.assertIn("Tokyo", r["text"])
        self.assertEqual((r["chip"], r["machine"], r["finish_reason"]), ("silex-1", "fast", "stop"))
        self.assertEqual(r["prompt_tokens"], len(self.prompt_ids(QUESTION)))
        self.assertEqual(len(r["tokens"]), 7)
        for key in ("load_s", "prefill_tok_s", "decode_tok_s", "peak_rss_bytes"):
            self.assertGreater(r["host"][key], 0)
        self.assertRegex(r["program"]["sha256"], "^[0-9a-f]{64}$")
        for key in ("instructions", "bytes"):
            self.assertGreater(r["program"][key], 0)
        for key in ("ttft_s", "tpot_s", "energy_j_per_token"):
            self.assertGreater(r["chip_time"][key], 0)
        # weights at 12.3 TB/s are the least a token can take
        self.assertGreater(r["chip_time"]["tpot_s"], 85e6 / 12.288e12)
        timed = self.json("time", MODEL, "-c", r["prompt_tokens"] + 7, "-p", r["prompt_tokens"], "--no-bands")
        for key in ("ttft_s", "tpot_s", "energy_j_per_token", "bound_by"):
            self.assertEqual(r["chip_time"][key], timed[key])
        self.assertRegex(r["hash"], "^[0-9a-f]{16}$")

    def test_time(self):
        trace = os.path.join(self.dir, "t.json")
        t = self.json("time", MODEL, "-c", 40, "-p", 100, "--trace", trace)
        self.assertEqual(t, self.json("time", MODEL, "-c", 40, "-p", 100, "--prefill-chunk", 512))
        for step in (t["prefill"], t["decode"]):
            self.assertEqual(sum(step["cycles_by_bound"].values()), step["cycles"])
            self.assertEqual(sum(s["cycles"] for s in step["spans"]), step["cycles"])
            self.assertEqual(sum(step["energy_fj_by_wire"].values()), step["energy_fj"])
            self.assertEqual(sum(step["layer_energy_fj"]), step["energy_fj"])
            self.assertEqual(sum(s["energy_fj"] for s in step["spans"]), step["energy_fj"])
            self.assertGreaterEqual(step["cycles"], step["roofline_cycles"])
        self.assertLess(t["tpot_low_s"], t["tpot_s"])
        self.assertLess(t["tpot_s"], t["tpot_high_s"])
        with open(trace, encoding="utf-8") as f:
            events = [e for e in json.load(f)["traceEvents"] if e["ph"] == "X"]
        last = max(e["args"]["finish"] for e in events)  # of the tiles simulated: the first of each class
        self.assertTrue(0.9 * t["decode"]["cycles"] <= last <= t["decode"]["cycles"])
        self.assertIn("MM gate_up 29", {e["name"] for e in events})
        full = self.json("time", MODEL, "-c", 40, "-p", 0, "--full", "--no-bands")
        self.assertNotIn("ttft_s", full)
        self.assertLess(abs(full["tpot_s"] / t["tpot_s"] - 1), 0.03)
        self.assertEqual(full["decode"]["energy_fj_by_wire"]["memory"], t["decode"]["energy_fj_by_wire"]["memory"])
        self.refused("time", MODEL, "-c", 1 << 20, place="Smollm2", says="expected at most")
        self.refused("time", MODEL, "-c", 0, "-p", 0, place="silex time: ")

    def prompt_ids(self, question):
        messages = self.file("m.json", json.dumps([{"role": "user", "content": question}]))
        return self.json("template", MODEL, "-f", messages)["tokens"]

    def test_one_hash_on_every_way(self):
        first = self.json("run", MODEL, "-p", QUESTION)
        program = os.path.join(self.dir, "p.slx")
        self.ok("compile", MODEL, "-o", program)
        ways = [["-t", 1], ["-t", 2], ["--prefill-chunk", 1], ["--prefill-chunk", 7], ["--prefill-chunk", 64],
                ["--cpu", "scalar"], ["--program", program], ["--chip", "silex-mini"], ["--ctx", 256],
                ["-f", self.file("q.txt", QUESTION)], ["--top-k", 1, "--temperature", 2]]
        for way in ways:
            text = [] if "-f" in way else ["-p", QUESTION]
            r = self.json("run", MODEL, *text, *way)
            self.assertEqual((r["hash"], r["tokens"]), (first["hash"], first["tokens"]), way)
        self.assertEqual(self.json("run", MODEL, "--program", program, "-p", "hi", "-n", 1)["program"]["sha256"],
                         first["program"]["sha256"])

    def test_strict_is_fast(self):
        for chip in ("silex-1", "silex-one"):
            two = [self.json("run", MODEL, "-p", "hi", "-n", 3, "--chip", chip, "--machine", machine)
                   for machine in ("strict", "fast")]
            self.assertEqual(two[0]["hash"], two[1]["hash"], chip)

    def test_degrees_of_tensor_parallelism(self):
        self.refused("run", MODEL, "-p", "hi", "--tp", 2, place=MODEL, says=["3 KV heads", "of this model is 1"])
        program = os.path.join(self.dir, "p.slx")
        self.ok("compile", MODEL, "-o", program)
        self.refused("run", MODEL, "-p", "hi", "--tp", 2, "--program", program, place="--tp", says="--program")

    def test_limits(self):
        r = self.json("run", MODEL, "-p", "Count to a thousand.", "-n", 5)
        self.assertEqual((len(r["tokens"]), r["finish_reason"]), (5, "length"))
        n = r["prompt_tokens"]
        r = self.json("run", MODEL, "-p", "Count to a thousand.", "--ctx", n)
        self.assertEqual((len(r["tokens"]), r["finish_reason"]), (1, "length"))
        self.assertIsNone(r["host"]["decode_tok_s"])
        self.refused("run", MODEL, "-p", "Count to a thousand.", "--ctx", n - 1, place="prompt: ",
                     says=[f"{n} tokens", f"at most {n - 1}"])

    def test_raw_and_control_tokens(self):
        # in a chat the text of a control token stays text; raw text has no template round it
        chat = self.json("run", MODEL, "-p", "<|im_end|>", "-n", 1)["prompt_tokens"]
        self.assertGreater(chat, self.json("run", MODEL, "-p", "x", "-n", 1)["prompt_tokens"])
        raw = self.json("run", MODEL, "-p", "The capital of France is", "--raw", "-n", 4)
        self.assertEqual(raw["prompt_tokens"], 5)
        self.assertIn("Paris", raw["text"])

    def test_seeds(self):
        def draw(seed):
            r = self.json("run", MODEL, "-p", "Tell me a story.", "-n", 16, "--temperature", 1, "--seed", seed)
            return r["tokens"]
        self.assertEqual(draw(1), draw(1))
        cold = [self.json("run", MODEL, "-p", "hi", "-n", 3, "--temperature", t)["tokens"] for t in (0, 1e-10, 1e-45)]
        self.assertEqual(cold[1:], cold[:1] * 2)
        self.assertNotEqual(draw(1), draw(2))

    def test_interrupt_keeps_what_was_said(self):
        p = subprocess.Popen([SILEX, "run", MODEL, "-p", "Write a poem", "-n", "4000"], cwd=ROOT,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        start = p.stdout.read(1)  # the answer has begun
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130)
        (start + out).decode()
        self.assertRegex(err.decode(), r"(?m)^ answer .* new tokens, interrupted +bits")

    def test_closed_pipe_is_quiet(self):
        p = subprocess.Popen([SILEX, "run", MODEL, "-p", "Write a poem", "-n", "4000"], cwd=ROOT,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdout.read(1)
        p.stdout.close()
        self.assertEqual(p.stderr.read(), b"")
        p.stderr.close()
        self.assertEqual(p.wait(timeout=30), -signal.SIGPIPE)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            p = subprocess.run([SILEX, "run", MODEL, "-p", "hi"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE,
                               check=False)
        self.assertEqual((p.returncode, len(p.stderr.splitlines())), (2, 1))


class Texts(ModelCase):
    def test_tokens(self):
        # ids of the published tokenizer
        for text, special, ids in (("Hello world", False, [19556, 905]), ("<|im_start|>", True, [1]),
                                   ("I'm 42", False, [57, 5248, 216, 36, 34])):
            r = self.json("tokenize", MODEL, "-p", text, *(["--special"] if special else []))
            self.assertEqual(r["tokens"], ids, text)
            self.assertEqual(len(r["pieces"]), len(ids))
        self.assertGreater(len(self.json("tokenize", MODEL, "-p", "<|im_start|>", "--raw")["tokens"]), 1)
        self.assertEqual(self.json("tokenize", MODEL, "-f", "-", stdin="Hello world")["tokens"], [19556, 905])
        self.assertEqual([line.split() for line in self.ok("tokenize", MODEL, "-p", "Hello world").splitlines()],
                         [["19556", '"Hello"'], ["905", '"\u0120world"']])

    def test_template(self):
        talk = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
        messages = self.file("m.json", json.dumps(talk))
        want = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
        self.assertEqual(self.ok("template", MODEL, "-f", messages), want)
        self.assertEqual(self.json("template", MODEL, "-f", messages)["prompt"], want)

    def test_perplexity(self):
        with open(os.path.join(ROOT, "LICENSE"), encoding="utf-8") as f:
            text = self.file("t.txt", f.read()[:1500])
        r = self.json("perplexity", MODEL, "-f", text, "--ctx", 64, "--per-token")
        windows = len(self.json("tokenize", MODEL, "-f", text)["tokens"]) // 64
        self.assertEqual(r["tokens"], windows * 31)  # positions 32 .. 62 of a window predict the next
        self.assertEqual(len(r["logprobs"]), r["tokens"])
        self.assertAlmostEqual(-sum(r["logprobs"]) / r["tokens"], r["nll"], places=9)
        self.assertAlmostEqual(math.exp(r["nll"]), r["perplexity"], places=6)
        self.assertLess(r["perplexity"], 60)  # a text the model has surely seen; without its weights it would be 49152
        again = self.json("perplexity", MODEL, "-f", text, "--ctx", 64, "-t", 1)
        self.assertEqual((again["hash"], again["nll"]), (r["hash"], r["nll"]))
        self.assertNotIn("logprobs", again)
        self.refused("perplexity", MODEL, "-p", "short", place="text: ", says=["1 token", "512"])

    def test_bench(self):
        r = self.json("bench", MODEL, "-p", 32, "-n", 8, "-r", 2, "-t", "1,2")["results"]
        self.assertEqual([(x["test"], x["threads"]) for x in r], [("pp32", 1), ("tg8", 1), ("pp32", 2), ("tg8", 2)])
        for x in r:
            self.assertGreater(x["tok_s"], 0)
            self.assertGreaterEqual(x["tok_s_stddev"], 0)


class Programs(ModelCase):
    def test_stages(self):
        for stage in ("graph", "plan", "schedule", "program"):
            self.assertGreater(len(self.ok("compile", MODEL, "--dump", stage).splitlines()), 5, stage)

    def test_text_and_back(self):
        a, s, b = (os.path.join(self.dir, n) for n in ("a.slx", "a.s", "b.slx"))
        self.ok("compile", MODEL, "-o", a, "--chip", "silex-mini")
        self.ok("disasm", a, "-o", s)
        self.ok("asm", s, "-o", b)
        with open(a, "rb") as f, open(b, "rb") as g:
            self.assertEqual(f.read(), g.read())
        self.assertIn("legal on silex-mini", self.ok("verify", b, "--chip", "silex-mini"))
        self.refused("verify", a, "--chip", "silex-one", place=a)
        self.refused("run", MODEL, "-p", "hi", "--program", a, place=a)  # made for another chip
        self.refused("exec", a, "--chip", "silex-mini", place=a, says="weights")
        self.ok("asm", os.path.join("examples", "hello.s"), "-o", b)
        self.refused("run", MODEL, "-p", "hi", "--program", b, "--chip", "silex-one", place=b, says="without weights")


class Broken(ModelCase):
    """Files made from the model: cut off, or with one bit changed in what comes before the weights."""

    def test_cut(self):
        with open(MODEL, "rb") as f:
            whole = f.read()
        for n in (3, 4, 23, 24, 1000, 100_000, 1_000_000, 1_800_000, 3_000_000, len(whole) // 2, len(whole) - 1):
            cut = self.file("cut.gguf", whole[:n])
            self.refused("run", cut, "-p", "hi", place=cut)
            self.refused("compile", cut, "-o", os.path.join(self.dir, "out.slx"), place=cut)

    def test_flipped(self):
        rng = random.Random(1)
        with open(MODEL, "rb") as f:
            whole = bytearray(f.read())
        path = self.file("flip.gguf", bytes(whole))
        places = [rng.randrange(0, 64) for _ in range(20)] + [rng.randrange(0, 1_700_000) for _ in range(30)]
        with open(path, "r+b") as f:
            for at in places:
                f.seek(at)
                f.write(bytes([whole[at] ^ 1 << rng.randrange(8)]))
                f.flush()
                code, out, err = run("compile", path, "--dump", "plan")
                self.assertIn(code, (0, 2), (at, err))
                if code:
                    self.assertEqual((out, len(err.splitlines())), ("", 1), (at, err))
                    self.assertTrue(err.startswith(path), (at, err))
                f.seek(at)
                f.write(whole[at:at + 1])

    def test_wrong_kinds(self):
        yaml = os.path.join("chips", "silex-1.yaml")
        self.refused("run", MODEL, "-p", "hi", "--chip", MODEL, place=MODEL + ": ", says="chip file")
        self.refused("chip", MODEL, place=MODEL + ": ", says="chip file")
        self.refused("run", yaml, "-p", "hi", place=yaml, says="GGUF")
        self.refused("run", MODEL, "-p", "hi", "--program", yaml, place=yaml, says="not a Silex program")
        self.refused("run", MODEL, "-p", "hi", "--program", MODEL, place=MODEL, says="not a Silex program")
        self.refused("template", MODEL, "-f", yaml, place=yaml + ":1", says="JSON")
        self.refused("compile", MODEL, "-o", os.path.join(self.dir, "no", "p.slx"), place=self.dir, says="cannot write")


class Crossover(Case):
    def test_crossover(self):
        """bench/crossover: the smallest batch at which joules a token are no more, as the steps themselves say."""
        p = subprocess.run([os.path.join(ROOT, "bench", "crossover"), "--silex", SILEX, "--model", "llama-3.2-1b",
                            "--context", "100"], capture_output=True, text=True, cwd=ROOT, check=False)
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        said = re.search(r"as few joules a token as silex-etched at batch 2: silex-1 from batch (\d+) on", p.stdout)
        self.assertTrue(said, p.stdout)

        def joules(chip, batch):
            args = ("-p", 0, "-c", 100, "-b", batch, "--weights", "MXFP4", "--no-bands", "--json")
            return json.loads(self.ok("time", "llama-3.2-1b", "--chip", chip, *args))["energy_j_per_token"]
        even, etched = int(said[1]), joules("silex-etched", 2)
        self.assertLessEqual(joules("silex-1", even), etched)
        self.assertGreater(joules("silex-1", even - 1), etched)
        self.assertIn("from batch 320 on", p.stdout)  # 137 mJ for a batch against 1.71 for four rows


if __name__ == "__main__":
    unittest.main()
